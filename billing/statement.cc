// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement.h"

#include <fmt/format.h>

namespace anabranch::billing {
namespace {

constexpr uint64_t kOctetsPerGb = 1'000'000'000;

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, " ");
  return text;
}

std::string rule(char c) {
  return std::string(92, c) + "\n";
}

}  // namespace

tl::expected<Statement, std::string> make_statement(const Ledger& ledger,
                                                    const std::string& account) {
  Statement statement{.account = account};
  Amount exact;
  for (const UsageLine& used : ledger.usage(account)) {
    const auto tariff = ledger.tariff(used.tariff, used.tariff_version);
    if (!tariff)
      return tl::unexpected("statement of " + account + ": tariff " + used.tariff +
                            " is not stored");
    if (!statement.currency.empty() && statement.currency != tariff->currency) {
      return tl::unexpected("statement of " + account + ": charged in " + statement.currency +
                            " and in " + tariff->currency);
    }
    statement.currency = tariff->currency;
    if (statement.sections.empty() || statement.sections.back().provider != used.provider) {
      statement.sections.push_back({.provider = used.provider});
    }
    StatementSection& section = statement.sections.back();
    const Amount amount = round_to_minor(used.amount, minor_digits(tariff->currency).value());
    const Amount price = tariff->charge(used.provider, used.kind, kOctetsPerGb).value_or(Amount());
    section.lines.push_back(
        {used.path, used.direction, used.kind, used.octets, used.packets, price, amount});
    section.octets += used.octets;
    section.subtotal += amount;
    statement.octets += used.octets;
    statement.total += amount;
    exact += used.amount;
  }
  const auto balances = ledger.balance(account);
  const auto posted = balances.find(statement.currency);
  if ((posted == balances.end() ? Amount() : posted->second) != exact) {
    return tl::unexpected("statement of " + account + ": its usage comes to " + to_text(exact) +
                          ", its postings do not; the ledger must be examined");
  }
  return statement;
}

std::string to_text(const Statement& s) {
  std::string out = fmt::format(
      "Statement of {}\nOctets are those of outer IP packets; 1 GB = 10^9 octets; amounts in "
      "{}.\n\n",
      s.account, s.currency.empty() ? "-" : s.currency);
  for (const StatementSection& section : s.sections) {
    out += section.provider + "\n" + rule('-');
    out += fmt::format("  {:<22} {:<9} {:<11} {:>17} {:>11} {:>9} {:>7}\n", "path", "direction",
                       "kind", "octets", "packets", "per GB", "amount");
    for (const StatementLine& line : section.lines) {
      out += fmt::format("  {:<22} {:<9} {:<11} {:>17} {:>11} {:>9} {:>7}\n", line.path,
                         kDirectionNames[static_cast<size_t>(line.direction)],
                         kKindNames[static_cast<size_t>(line.kind)], grouped(line.octets),
                         grouped(line.packets), to_text(line.price_per_gb), to_text(line.amount));
    }
    out += fmt::format("  {:<44} {:>17} {:>11} {:>9} {:>7}\n\n", "subtotal",
                       grouped(section.octets), "", "", to_text(section.subtotal));
  }
  out += rule('=');
  out += fmt::format("  {:<44} {:>17} {:>11} {:>9} {:>7}\n", "total", grouped(s.octets), "",
                     s.currency, to_text(s.total));
  return out;
}

nlohmann::json to_json(const Statement& s) {
  nlohmann::json sections = nlohmann::json::array();
  for (const StatementSection& section : s.sections) {
    nlohmann::json lines = nlohmann::json::array();
    for (const StatementLine& line : section.lines) {
      lines.push_back({{"path", line.path},
                       {"direction", kDirectionNames[static_cast<size_t>(line.direction)]},
                       {"kind", kKindNames[static_cast<size_t>(line.kind)]},
                       {"octets", line.octets},
                       {"packets", line.packets},
                       {"price_per_gb", to_text(line.price_per_gb)},
                       {"amount", to_text(line.amount)}});
    }
    sections.push_back({{"provider", section.provider},
                        {"lines", lines},
                        {"octets", section.octets},
                        {"subtotal", to_text(section.subtotal)}});
  }
  return {{"account", s.account},
          {"currency", s.currency},
          {"sections", sections},
          {"octets", s.octets},
          {"total", to_text(s.total)}};
}

}  // namespace anabranch::billing
