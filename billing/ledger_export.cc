// SPDX-License-Identifier: BSD-3-Clause
// The ledger for others: as hledger's journal; and what is wrong with it, if anything.
#include <fmt/format.h>

#include <chrono>

#include "billing/ledger.h"

namespace anabranch::billing {
namespace {

constexpr int64_t kPage = 2000;  // transactions or statements read at once: memory stays bounded

// hledger ends an account's name at two spaces, and a semicolon begins a comment. '%' and a
// number in hexadecimal stands for what it would misunderstand, so no two names become one.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool plain = c > ' ' && c != '%' && c != ';' && c != '|' && c != '\x7f';
    if (plain || (c == ' ' && !out.empty() && out.back() != ' ') || (c & 0x80) != 0)
      out += c;
    else
      out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string date_of(int64_t wall_ns) {
  using namespace std::chrono;
  const year_month_day day{floor<days>(sys_time<nanoseconds>(nanoseconds(wall_ns)))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

std::string entry_of(int64_t number, const Transaction& t) {
  std::string text = fmt::format("{} * ({}) {}  ; id: {}", date_of(t.wall_ns), number,
                                 escaped(t.purpose), escaped(t.id));
  if (!t.corrects.empty()) text += ", corrects: " + escaped(t.corrects);
  text += "\n";
  for (const Entry& e : t.entries)
    text += fmt::format("    {:<40}  {} {}\n", escaped(e.account), to_text(e.amount), e.currency);
  return text + "\n";
}

}  // namespace

Stored<void> Ledger::export_hledger(const std::function<void(const std::string&)>& write) const {
  const auto accounts = store_->read("SELECT name, kind FROM accounts ORDER BY name");
  if (!accounts) return tl::unexpected(accounts.error());
  const auto currencies = store_->read("SELECT DISTINCT currency FROM postings ORDER BY currency");
  if (!currencies) return tl::unexpected(currencies.error());
  write("; Anabranch's ledger. Debits are positive. Dates are of UTC.\n");
  // 18 decimals: hledger shows sums as exactly as they are.
  for (const Row& r : *currencies) write("commodity 1000.000000000000000000 " + r.text(0) + "\n");
  for (const Row& r : *accounts)
    write(fmt::format("account {}  ; type: {}\n", escaped(r.text(0)),
                      account_kind(r.text(0))->hledger));
  write("\n");
  const auto last = store_->read("SELECT coalesce(max(number), 0) FROM transactions");
  if (!last) return tl::unexpected(last.error());
  for (int64_t from = 1; from <= last->front().integer(0); from += kPage) {
    const auto page = transactions(from, kPage);
    if (!page) return tl::unexpected(page.error());
    for (const auto& [number, t] : *page) write(entry_of(number, t));
  }
  return {};
}

Stored<std::vector<std::string>> Ledger::verify() const {
  std::vector<std::string> wrong;
  for (const char* sum :
       {"SELECT '', currency, amount_sum(amount) FROM postings GROUP BY currency",
        "SELECT 'transaction ' || transaction_number, currency, amount_sum(amount) FROM postings "
        "GROUP BY transaction_number, currency"}) {
    const auto rows = store_->read(sum);
    if (!rows) return tl::unexpected(rows.error());
    for (const Row& r : *rows) {
      if (r.amount(2) != Amount())
        wrong.push_back(r.text(0) + ": postings in " + r.text(1) + " add up to " +
                        to_text(r.amount(2)));
    }
  }
  if (auto looked = verify_balances(wrong); !looked) return tl::unexpected(looked.error());
  const auto series =
      store_->read("SELECT issuer, series, max(number) FROM statements GROUP BY issuer, series");
  if (!series) return tl::unexpected(series.error());
  for (const Row& s : *series) {
    std::string hash;
    for (int64_t from = 1; from <= s.integer(2); from += kPage) {
      const auto rows = store_->read(
          "SELECT number, hash, document FROM statements WHERE issuer = $1 AND series = $2 AND "
          "number >= $3 AND number < $4 ORDER BY number",
          s.text(0), s.text(1), from, from + kPage);
      if (!rows) return tl::unexpected(rows.error());
      int64_t number = from;
      for (const Row& r : *rows) {
        const std::string name = s.text(0) + ", " + s.text(1) + "-" + r.text(0);
        if (r.integer(0) != number++) {
          wrong.push_back("statement before " + name + " is missing");
          number = r.integer(0) + 1;
        }
        hash = statement_hash(hash, r.text(2));
        if (r.text(1) != hash) wrong.push_back("statement " + name + " is not as it was issued");
        hash = r.text(1);
      }
    }
  }
  return wrong;
}

}  // namespace anabranch::billing
