// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement.h"

#include <fmt/format.h>

#include <map>

namespace anabranch::billing {
namespace {

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, " ");
  return text;
}

std::string rule(char c) {
  return std::string(78, c) + "\n";
}

// What a section's lines come to, by price: exact until a price's octets are all there.
void add_charges(StatementSection& section, const std::map<Amount, Amount>& exact, int digits) {
  std::map<Amount, uint64_t> octets;
  for (const StatementLine& line : section.lines) {
    if (line.price_per_gb != Amount()) octets[line.price_per_gb] += line.octets;
  }
  for (const auto& [price, count] : octets) {
    const Amount amount = round_to_minor(exact.at(price), digits);
    section.charges.push_back({price, count, amount});
    section.subtotal += amount;
  }
}

}  // namespace

tl::expected<Statement, std::string> make_statement(const Ledger& ledger,
                                                    const std::string& account) {
  Statement statement{.account = account};
  Amount total;
  std::vector<std::map<Amount, Amount>> exact;  // by section and price
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
      exact.emplace_back();
    }
    StatementSection& section = statement.sections.back();
    const Amount price = tariff->charge(used.provider, used.kind, kOctetsPerGb).value_or(Amount());
    section.lines.push_back(
        {used.path, used.direction, used.kind, used.octets, used.packets, price});
    section.octets += used.octets;
    exact.back()[price] += used.amount;
    statement.octets += used.octets;
    total += used.amount;
  }
  for (size_t i = 0; i < statement.sections.size(); ++i) {
    add_charges(statement.sections[i], exact[i], minor_digits(statement.currency).value());
    statement.total += statement.sections[i].subtotal;
  }
  const auto balances = ledger.balance(account);
  const auto posted = balances.find(statement.currency);
  if ((posted == balances.end() ? Amount() : posted->second) != total) {
    return tl::unexpected("statement of " + account + ": its usage comes to " + to_text(total) +
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
    out += fmt::format("  {:<22} {:<9} {:<11} {:>17} {:>13}\n", "path", "direction", "kind",
                       "octets", "packets");
    for (const StatementLine& line : section.lines) {
      out += fmt::format("  {:<22} {:<9} {:<11} {:>17} {:>13}\n", line.path,
                         kDirectionNames[static_cast<size_t>(line.direction)],
                         kKindNames[static_cast<size_t>(line.kind)], grouped(line.octets),
                         grouped(line.packets));
    }
    for (const StatementCharge& c : section.charges) {
      out += fmt::format("  {:<44} {:>17} {:>13}\n",
                         "charged at " + to_text(c.price_per_gb) + " " + s.currency + " per GB",
                         grouped(c.octets), to_text(c.amount));
    }
    out += fmt::format("  {:<44} {:>17} {:>13}\n\n", "subtotal", grouped(section.octets),
                       to_text(section.subtotal));
  }
  out += rule('=');
  out += fmt::format("  {:<44} {:>17} {:>13}\n", "total " + s.currency, grouped(s.octets),
                     to_text(s.total));
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
                       {"price_per_gb", to_text(line.price_per_gb)}});
    }
    nlohmann::json charges = nlohmann::json::array();
    for (const StatementCharge& c : section.charges) {
      charges.push_back({{"price_per_gb", to_text(c.price_per_gb)},
                         {"octets", c.octets},
                         {"amount", to_text(c.amount)}});
    }
    sections.push_back({{"provider", section.provider},
                        {"lines", lines},
                        {"charges", charges},
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
