// SPDX-License-Identifier: BSD-3-Clause
// How a client's account stands is on its statements: what it was before, what has been paid or
// given back since the last one, what this one adds. It is read where the statement is numbered, so
// that nothing can be posted in between.
#include <algorithm>
#include <map>

#include "billing/ledger.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

Amount amount_at(const json& object, const char* name) {
  return parse_amount(object.at(name).get<std::string>()).value_or(Amount());
}

// What an account's statements say has moved, by the last transaction that they knew.
struct ToldMoves {
  std::map<int64_t, std::map<std::string, Amount>> moved;  // by transaction and currency
  bool since_ever = true;  // false: there are statements that say nothing of it
};

ToldMoves moves_told(const Rows& statements, std::vector<std::string>& wrong) {
  ToldMoves told;
  for (const Row& r : statements) {
    const json document = json::parse(r.text(0), nullptr, false);
    if (!document.is_object() || !document.contains("balance")) {
      told.since_ever = false;
      continue;
    }
    const json& balance = document.at("balance");
    Amount moved = amount_at(document, "gross");
    for (const json& m : balance.at("moved")) moved += amount_at(m, "amount");
    if (amount_at(balance, "before") + moved != amount_at(balance, "now"))
      wrong.push_back("statement " + document.value("number", "") +
                      ": what moved does not lead to its balance");
    told.moved[balance.at("through")][document.at("currency")] += moved;
  }
  return told;
}

// Up to which transaction the last statement told what moved; nullopt: it told nothing of it, as
// earlier versions did.
std::optional<int64_t> told_through(const Rows& last) {
  if (last.empty()) return 0;
  const json document = json::parse(last.front().text(0), nullptr, false);
  const json::json_pointer through("/balance/through");
  if (!document.is_object() || !document.contains(through)) return std::nullopt;
  return document.at(through).get<int64_t>();
}

}  // namespace

Stored<void> Ledger::state_balance_here(const ClosedPeriod& period, std::span<json> documents) {
  if (period.statements.empty() || !period.statements.front().balance) return {};
  const StatementDraft::Balance& wanted = *period.statements.front().balance;
  const auto last = store_->query(
      "SELECT document FROM statements WHERE account = $1 ORDER BY issued_ns DESC LIMIT 1",
      period.account);
  if (!last) return tl::unexpected(last.error());
  const auto rows = store_->query(
      "SELECT t.number, t.wall_ns, t.id, t.purpose, p.amount FROM postings p JOIN transactions t "
      "ON t.number = p.transaction_number WHERE p.account = $1 AND p.currency = $2 ORDER BY "
      "t.number, p.line",
      period.account, wanted.currency);
  if (!rows) return tl::unexpected(rows.error());
  const auto told = told_through(*last);
  const auto is_its_own = [&](const std::string& id) {
    return std::any_of(period.transactions.begin(), period.transactions.end(),
                       [&](const Transaction& t) { return t.id == id; });
  };
  Amount now;
  int64_t through = told.value_or(0);
  json before = to_text(now), moved = json::array();
  for (const Row& r : *rows) {
    const int64_t number = r.integer(0);
    through = std::max(through, number);
    if (is_its_own(r.text(2))) continue;
    now += r.amount(4);
    if (!told || number <= *told) {
      before = to_text(now);
    } else {
      moved.push_back({{"at", wanted.zone.text(r.integer(1))},
                       {"what", r.text(3)},
                       {"amount", to_text(r.amount(4))}});
    }
  }
  for (size_t i = 0; i < documents.size(); ++i) {
    now += period.statements[i].balance->gross;
    documents[i]["balance"] = {{"before", before},
                               {"moved", std::move(moved)},
                               {"now", to_text(now)},
                               {"through", through}};
    before = to_text(now);
    moved = json::array();
  }
  return {};
}

// Between the last transactions that two closings knew, the account moved by what the statements of
// the second one say.
Stored<void> Ledger::verify_balances(std::vector<std::string>& wrong) const {
  const auto accounts =
      store_->read("SELECT DISTINCT account FROM statements WHERE account LIKE 'client:%'");
  if (!accounts) return tl::unexpected(accounts.error());
  for (const Row& a : *accounts) {
    const auto statements =
        store_->read("SELECT document FROM statements WHERE account = $1", a.text(0));
    if (!statements) return tl::unexpected(statements.error());
    const auto postings = store_->read(
        "SELECT transaction_number, currency, amount FROM postings WHERE account = $1 ORDER BY "
        "transaction_number",
        a.text(0));
    if (!postings) return tl::unexpected(postings.error());
    const ToldMoves told = moves_told(*statements, wrong);
    auto posting = postings->begin();
    bool is_first = true;
    for (const auto& [through, currencies] : told.moved) {
      std::map<std::string, Amount> moved;
      for (; posting != postings->end() && posting->integer(0) <= through; ++posting)
        moved[posting->text(1)] += posting->amount(2);
      for (const auto& [currency, amount] : currencies) {
        if (moved[currency] != amount && (told.since_ever || !is_first))
          wrong.push_back(a.text(0) + ": its statements say that " + to_text(amount) + " " +
                          currency + " moved, and " + to_text(moved[currency]) + " did");
      }
      is_first = false;
    }
  }
  return {};
}

}  // namespace anabranch::billing
