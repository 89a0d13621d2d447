// SPDX-License-Identifier: BSD-3-Clause
// The ledger's money: transactions become postings, postings become balances.
#include <algorithm>

#include "billing/ledger.h"
#include "billing/ledger_rows.h"

namespace anabranch::billing {
namespace {

using Status = Ledger::Status;
using Mode = Store::Mode;

constexpr size_t kAccountNameMax = 200;
// As parse_amount, which reads them again.
constexpr Int128 kEntryMax = Int128{1'000'000'000'000'000} * kAttosPerUnit;

Stored<void> check(const Transaction& t) {
  const auto wrong = [&](const std::string& what) {
    return refused("transaction \"" + t.id + "\": " + what);
  };
  if (t.id.empty()) return wrong("it has no id");
  std::map<std::string, Amount> sums;
  for (const Entry& entry : t.entries) {
    if (account_kind(entry.account) == nullptr)
      return wrong("\"" + entry.account + "\" is no account's name; expected such as client:acme");
    if (!minor_digits(entry.currency))
      return wrong("\"" + entry.currency + "\" is no currency known");
    if (entry.amount.attos() >= kEntryMax || entry.amount.attos() <= -kEntryMax)
      return wrong("more than 10^15 " + entry.currency + " in one entry");
    sums[entry.currency] += entry.amount;
  }
  if (sums.empty()) return wrong("it has no entries");
  for (const auto& [currency, sum] : sums) {
    if (sum != Amount())
      return wrong("its entries in " + currency + " add up to " + to_text(sum) + ", not to zero");
  }
  return {};
}

std::optional<std::string> none_if_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

bool same(const Transaction& a, const Transaction& b) {
  return a.purpose == b.purpose && a.party == b.party && a.corrects == b.corrects &&
         a.entries == b.entries;
}

const std::string kSelectTransactions =
    "SELECT t.number, t.id, t.wall_ns, t.purpose, t.party, t.corrects, p.account, p.currency, "
    "p.amount FROM transactions t JOIN postings p ON p.transaction_number = t.number ";

// Rows of one transaction follow each other.
std::vector<std::pair<int64_t, Transaction>> read_transactions(const Rows& rows) {
  std::vector<std::pair<int64_t, Transaction>> all;
  for (const Row& r : rows) {
    if (all.empty() || all.back().first != r.integer(0)) {
      all.emplace_back(r.integer(0), Transaction{.id = r.text(1),
                                                 .wall_ns = r.integer(2),
                                                 .purpose = r.text(3),
                                                 .party = r.text(4),
                                                 .corrects = r.is_null(5) ? "" : r.text(5)});
    }
    all.back().second.entries.push_back({r.text(6), r.text(7), r.amount(8)});
  }
  return all;
}

}  // namespace

const AccountKind* account_kind(const std::string& account) {
  const size_t colon = account.find(':');
  if (colon == std::string::npos || colon + 1 == account.size() ||
      account.size() > kAccountNameMax || std::any_of(account.begin(), account.end(), [](char c) {
        return static_cast<unsigned char>(c) < ' ';
      })) {
    return nullptr;
  }
  for (const AccountKind& kind : kAccountKinds) {
    if (account.compare(0, colon, kind.prefix) == 0) return &kind;
  }
  return nullptr;
}

std::vector<Value> row_of(const Watermark& w) {
  const MeterKey& k = w.key;
  return {w.gateway,
          k.region,
          k.service,
          k.worker,
          k.path,
          static_cast<int>(k.direction),
          static_cast<int>(k.kind),
          w.octets_from,
          w.packets_from,
          w.octets_to,
          w.packets_to};
}

Watermark watermark_of(const Row& r) {
  return {.gateway = r.text(0),
          .key = {.region = r.bits(1),
                  .service = r.bits(2),
                  .worker = static_cast<uint16_t>(r.bits(3)),
                  .path = static_cast<uint16_t>(r.bits(4)),
                  .direction = static_cast<Direction>(r.bits(5)),
                  .kind = static_cast<Kind>(r.bits(6))},
          .octets_from = r.bits(7),
          .packets_from = r.bits(8),
          .octets_to = r.bits(9),
          .packets_to = r.bits(10)};
}

// --- Transactions ---

Stored<int64_t> Ledger::next_transaction_here() const {
  const auto last = store_->query("SELECT coalesce(max(number), 0) FROM transactions");
  if (!last) return tl::unexpected(last.error());
  return last->front().integer(0) + 1;
}

Stored<void> Ledger::put_accounts_here(const std::set<std::string>& accounts) {
  std::vector<std::vector<Value>> rows;
  for (const std::string& account : accounts)
    rows.push_back({account, account_kind(account)->kind});
  return store_->insert({"INSERT INTO accounts(name, kind)", "ON CONFLICT DO NOTHING"}, rows);
}

// Postings first: the row of the transaction seals them, and the database adds them up then.
Stored<std::vector<Posted>> Ledger::post_here(std::span<const Transaction* const> transactions) {
  std::vector<Posted> posted;
  if (transactions.empty()) return posted;
  std::vector<std::vector<Value>> postings, sealed;
  std::set<std::string> accounts;
  const auto first = next_transaction_here();
  if (!first) return tl::unexpected(first.error());
  for (const Transaction* t : transactions) {
    if (auto right = check(*t); !right) return tl::unexpected(right.error());
    const int64_t number = *first + static_cast<int64_t>(posted.size());
    int64_t line = 0;
    for (const Entry& e : t->entries) {
      accounts.insert(e.account);
      postings.push_back({number, ++line, e.account, e.currency, e.amount, t->wall_ns});
    }
    sealed.push_back({number, t->id, t->wall_ns, t->purpose, t->party, none_if_empty(t->corrects)});
    posted.push_back({.number = number});
  }
  return put_accounts_here(accounts)
      .and_then([&] {
        return store_->insert({"INSERT INTO postings(transaction_number, line, account, currency, "
                               "amount, wall_ns)"},
                              postings);
      })
      .and_then([&] {
        return store_->insert(
            {"INSERT INTO transactions(number, id, wall_ns, purpose, party, corrects)"}, sealed);
      })
      .map([&] { return posted; });
}

Stored<std::optional<std::pair<int64_t, Transaction>>> Ledger::find_here(
    const std::string& id) const {
  const auto rows =
      store_->query(kSelectTransactions + "WHERE t.id = $1 ORDER BY t.number, p.line", id);
  if (!rows) return tl::unexpected(rows.error());
  auto found = read_transactions(*rows);
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

Stored<Posted> Ledger::post(const Transaction& transaction) {
  Posted posted;
  const auto done = store_->transact(Mode::write, [&]() -> Stored<void> {
    const auto known = find_here(transaction.id);
    if (!known) return tl::unexpected(known.error());
    if (*known) {
      if (!same((*known)->second, transaction))
        return refused("transaction \"" + transaction.id +
                       "\" was posted with another content; a correction has an id of its own");
      posted = {.number = (*known)->first, .repeated = true};
      return {};
    }
    const Transaction* one[] = {&transaction};
    return post_here(one).map([&](const auto& all) { posted = all.front(); });
  });
  if (!done) return tl::unexpected(done.error());
  return posted;
}

Stored<std::optional<Transaction>> Ledger::transaction(const std::string& id) const {
  std::optional<Transaction> found;
  const auto done = store_->transact(Mode::read, [&] {
    return find_here(id).map(
        [&](auto pair) { found = pair ? std::optional(std::move(pair->second)) : std::nullopt; });
  });
  if (!done) return tl::unexpected(done.error());
  return found;
}

Stored<std::vector<std::pair<int64_t, Transaction>>> Ledger::transactions(int64_t from,
                                                                          size_t count) const {
  return store_
      ->read(
          kSelectTransactions + "WHERE t.number >= $1 AND t.number < $2 ORDER BY t.number, p.line",
          from, from + static_cast<int64_t>(count))
      .map([](const Rows& rows) { return read_transactions(rows); });
}

// --- Sums ---

Stored<std::map<std::string, Amount>> Ledger::balance(const std::string& account,
                                                      int64_t before_ns) const {
  return store_
      ->read(
          "SELECT currency, amount_sum(amount) FROM postings WHERE account = $1 AND wall_ns < $2 "
          "GROUP BY currency",
          account, before_ns)
      .map([](const Rows& rows) {
        std::map<std::string, Amount> sums;
        for (const Row& r : rows) sums[r.text(0)] = r.amount(1);
        return sums;
      });
}

std::map<std::string, Amount> Ledger::balance(const std::string& account) const {
  return balance(account, INT64_MAX).value_or(std::map<std::string, Amount>());
}

Stored<std::map<std::string, std::map<std::string, Amount>>> Ledger::balances(
    int64_t before_ns) const {
  return store_
      ->read(
          "SELECT account, currency, amount_sum(amount) FROM postings WHERE wall_ns < $1 GROUP BY "
          "account, currency",
          before_ns)
      .map([](const Rows& rows) {
        std::map<std::string, std::map<std::string, Amount>> sums;
        for (const Row& r : rows) sums[r.text(0)][r.text(1)] = r.amount(2);
        return sums;
      });
}

std::map<std::string, Amount> Ledger::imbalance() const {
  std::map<std::string, Amount> sums;
  const auto rows =
      store_->read("SELECT currency, amount_sum(amount) FROM postings GROUP BY currency");
  if (!rows) return sums;
  for (const Row& r : *rows) sums[r.text(0)] = r.amount(1);
  return sums;
}

Stored<std::vector<MarginLine>> Ledger::margin(int64_t from_ns, int64_t to_ns) const {
  const auto rows = store_->read(
      "SELECT t.party, p.account, p.currency, amount_sum(p.amount) FROM postings p JOIN "
      "transactions t ON t.number = p.transaction_number JOIN accounts a ON a.name = p.account "
      "WHERE a.kind IN ('revenue', 'cost') AND p.wall_ns >= $1 AND p.wall_ns < $2 "
      "GROUP BY t.party, p.account, p.currency",
      from_ns, to_ns);
  if (!rows) return tl::unexpected(rows.error());
  std::map<std::array<std::string, 3>, MarginLine> lines;
  for (const Row& r : *rows) {
    const std::string& account = r.text(1);
    const std::string provider = account.substr(account.find(':') + 1);
    MarginLine& line = lines[{r.text(0), provider, r.text(2)}];
    line.party = r.text(0);
    line.provider = provider;
    line.currency = r.text(2);
    if (account.starts_with("revenue:"))
      line.revenue = -r.amount(3);
    else
      line.cost = r.amount(3);
  }
  std::vector<MarginLine> all;
  for (auto& [key, line] : lines) all.push_back(std::move(line));
  return all;
}

}  // namespace anabranch::billing
