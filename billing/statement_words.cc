// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_words.h"

#include <algorithm>
#include <tuple>

#include "billing/printable.h"

namespace anabranch::billing {
namespace {

using Read = ReadStatement;

constexpr size_t kDayEnd = 10, kMinuteEnd = 16, kSecondEnd = 19;  // "2026-10-01T00:00:00+02:00"
constexpr std::string_view kGap = "\xc2\xa0";                     // U+00A0

std::string window_words(const Read::Window& window) {
  return time_words(window.from) + " until " + time_words(window.to);
}

void add_tax(const Read& s, const Read::Tax& tax, std::vector<std::string>& details) {
  if (s.taxes.size() > 1 && !tax_words(tax).empty()) details.push_back("tax " + tax_words(tax));
}

}  // namespace

std::string grouped(std::string_view decimal) {
  const size_t first = decimal.starts_with('-') ? 1 : 0;
  std::string text(decimal);
  for (size_t at = std::min(text.find('.'), text.size()); at > first + 3;)
    text.insert(at -= 3, kGap);
  return text;
}

std::string grouped(Uint128 number) {
  return grouped(decimal(number));
}

std::string decimal(Uint128 number) {
  std::string digits;
  do digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(number % 10)));
  while ((number /= 10) != 0);
  return digits;
}

std::string time_words(const Read::Time& time) {
  if (time.size() < kSecondEnd) return time;
  const std::string_view seconds = std::string_view(time).substr(kMinuteEnd, 3);
  return time.substr(0, kDayEnd) + " " + time.substr(kDayEnd + 1, kMinuteEnd - kDayEnd - 1) +
         (seconds == ":00" ? "" : std::string(seconds)) + " " + time.substr(kSecondEnd);
}

std::string party_words(const Read::Party& party) {
  const bool only_id = party.name.empty() || party.name == party.id;
  return printable(only_id ? party.id : party.name + " (" + party.id + ")");
}

std::string tax_words(const Read::Tax& tax) {
  std::string words = printable(tax.category);
  if (!tax.percent.empty()) words += (words.empty() ? "" : " ") + tax.percent + " %";
  return words;
}

std::string title(const Read& s) {
  return (s.adjustment ? "Adjustment " : "Statement ") + printable(s.number);
}

std::string title(const Read& s, const Read::Section& section) {
  return section.provider.empty() ? party_words(s.issuer) : printable(section.provider);
}

std::string title(const Read::Line& line) {
  const std::string& name = line.description.empty() ? line.item : line.description;
  std::string items = name == line.item ? "" : line.item;
  if (!line.passed.empty()) items += (items.empty() ? "" : ", ") + line.passed;
  return printable(items.empty() ? name : name + " (" + items + ")");
}

std::string title(const Read::Usage& used) {
  return printable(used.path + " (" + used.provider + ", " + used.network + ") at " + used.gateway);
}

std::string title(const Read::TaxTotal& total) {
  const std::string words = tax_words(total.tax);
  const std::string reason = printable(total.tax.reason);
  return "tax " + (words.empty() ? "" : words + " ") + "on " + grouped(total.net) +
         (reason.empty() ? "" : ": " + reason);
}

std::string title(const Read::Moved& moved) {
  return printable(moved.what) + ", " + moved.at.substr(0, kDayEnd);
}

std::string title(const Read& s, const Read::Balance& balance) {
  const bool in_favour = balance.now.starts_with('-');
  const bool nothing = balance.now.find_first_of("123456789") == std::string::npos;
  return "balance, " + printable(s.currency) +
         (nothing     ? ", nothing to be paid"
          : in_favour ? ", in your favour"
                      : ", to be paid");
}

std::string octets_words(const Read::Line& line) {
  const bool fee = line.unit == "cycle" && line.octets == 0;
  return line.octets && !fee ? grouped(*line.octets) : "";
}

std::string octets_words(const Read::Section& section) {
  const bool counted =
      std::any_of(section.lines.begin(), section.lines.end(),
                  [](const Read::Line& line) { return !octets_words(line).empty(); });
  return counted || section.octets != 0 ? grouped(section.octets) : "";
}

std::vector<std::string> details(const Read& s, const Read::Line& line) {
  std::vector<std::string> details;
  const std::string currency = printable(s.currency);
  for (const Read::Tier& tier : line.at) {
    if (s.itemised)
      details.push_back(grouped(tier.quantity) + " " + printable(line.unit) + " at " +
                        grouped(tier.price) + " " + currency);
  }
  if (const auto& c = line.conversion) {
    details.push_back("exchanged at " + grouped(c->of_from) + " " + printable(c->from) + " for " +
                      grouped(c->of_to) + " " + printable(c->to) + ", " + printable(c->rates) +
                      " of " + printable(c->date));
  }
  if (!line.period.from.empty())
    details.push_back(
        (line.corrects.empty() ? "of an earlier period" : "corrects " + printable(line.corrects)) +
        ", " + window_words(line.period));
  add_tax(s, line.tax, details);
  return details;
}

std::vector<std::string> details(const Read& s, const Read::Credit& credit) {
  std::vector<std::string> details;
  if (!credit.window.from.empty()) details.push_back(window_words(credit.window));
  if (credit.samples && credit.missed)
    details.push_back("missed in " + grouped(*credit.missed) + " of " + grouped(*credit.samples) +
                      " samples");
  add_tax(s, credit.tax, details);
  return details;
}

UsageTotal usage_total(const Read& s) {
  UsageTotal total;
  for (const Read::Usage& used : s.usage) {
    total.octets += used.octets;
    total.packets += used.packets;
  }
  return total;
}

std::vector<std::span<const Read::Usage>> by_path(const Read& s) {
  std::vector<std::span<const Read::Usage>> groups;
  const auto path = [](const Read::Usage& u) {
    return std::tie(u.provider, u.network, u.path, u.gateway);
  };
  for (auto from = s.usage.begin(); from != s.usage.end();) {
    const auto to = std::find_if(from, s.usage.end(),
                                 [&](const Read::Usage& u) { return path(u) != path(*from); });
    groups.emplace_back(from, to);
    from = to;
  }
  return groups;
}

}  // namespace anabranch::billing
