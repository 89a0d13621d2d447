// SPDX-License-Identifier: BSD-3-Clause
#include "billing/period_charges.h"

#include <map>

#include "billing/exact.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

std::string beyond(const PeriodCharges& charges) {
  return "tariff " + charges.tariff + ": the sum is beyond 10^20 " + charges.currency +
         "; a price must be wrong";
}

// Credits are negative.
class Sum {
 public:
  void add(Amount amount) {
    if (amount < Amount())
      minus_ = minus_ + Exact(-amount);
    else
      plus_ = plus_ + Exact(amount);
  }
  Sum& operator+=(const Sum& other) {
    plus_ = plus_ + other.plus_;
    minus_ = minus_ + other.minus_;
    return *this;
  }
  // nullopt: beyond what an Amount is rounded in.
  std::optional<Amount> total() const {
    const auto plus = plus_.cut_off(), minus = minus_.cut_off();
    if (!plus || !minus) return std::nullopt;
    return *plus + -*minus;
  }

 private:
  Exact plus_, minus_;
};

json to_json(const ChargeLine& line) {
  json at = json::array();
  for (const ChargedAt& a : line.at)
    at.push_back({{"quantity", to_text(a.quantity, 0)}, {"price", to_text(a.price)}});
  json out{{"provider", line.provider},
           {"item", line.item},
           {"description", line.description},
           {"octets", line.count.octets},
           {"packets", line.count.packets},
           {"unit", kUnitNames[static_cast<size_t>(line.unit)]},
           {"at", at},
           {"exact", to_text(line.exact)},
           {"amount", to_text(line.amount)},
           {"tax", line.tax.code()}};
  if (!line.passed.empty()) out["passed"] = line.passed;
  if (const auto& c = line.conversion) {
    out["conversion"] = {{c->from, to_text(c->of_from)},
                         {c->to, to_text(c->of_to)},
                         {"rates", c->sheet},
                         {"date", to_text(c->day)}};
  }
  return out;
}

}  // namespace

std::optional<Amount> percent_of(Amount amount, Amount percent, int digits) {
  const bool is_credit = amount < Amount();
  const auto part = Exact(is_credit ? -amount : amount).times(percent).times(1, 100).cut_off();
  if (!part) return std::nullopt;
  const Amount rounded = round_to_minor(*part, digits);
  return is_credit ? -rounded : rounded;
}

tl::expected<void, std::string> sum_up(PeriodCharges& charges) {
  charges.taxes.clear();
  std::map<std::pair<TaxCategory, Amount>, std::pair<Tax, Sum>> sums;
  for (const ChargeLine& line : charges.lines) {
    auto& [tax, net] = sums[{line.tax.category, line.tax.percent}];
    tax = line.tax;
    net.add(line.amount);
  }
  const int digits = minor_digits(charges.currency).value();
  Sum net, due;
  for (const auto& [key, sum] : sums) {
    const auto of_category = sum.second.total();
    const auto tax =
        of_category ? percent_of(*of_category, sum.first.percent, digits) : std::nullopt;
    if (!tax) return tl::unexpected(beyond(charges));
    charges.taxes.push_back({sum.first, *of_category, *tax});
    net.add(*of_category);
    due.add(*tax);
  }
  Sum both = net;
  both += due;
  const auto all_net = net.total(), all_due = due.total(), gross = both.total();
  if (!all_net || !all_due || !gross) return tl::unexpected(beyond(charges));
  charges.net = *all_net;
  charges.tax = *all_due;
  charges.gross = *gross;
  return {};
}

tl::expected<std::vector<PeriodCharges>, std::string> by_provider(const PeriodCharges& charges) {
  std::map<std::string, PeriodCharges> all;
  for (const ChargeLine& line : charges.lines) {
    PeriodCharges& of = all[line.provider];
    of.tariff = charges.tariff;
    of.tariff_version = charges.tariff_version;
    of.currency = charges.currency;
    of.period = charges.period;
    if (const auto own = charges.passed.find(line.provider); own != charges.passed.end())
      of.passed.insert(*own);
    of.lines.push_back(line);
  }
  std::vector<PeriodCharges> result;
  for (auto& [provider, of] : all) {
    if (auto summed = sum_up(of); !summed) return tl::unexpected(summed.error());
    result.push_back(std::move(of));
  }
  return result;
}

json to_json(const PeriodCharges& charges) {
  json lines = json::array(), taxes = json::array();
  for (const ChargeLine& line : charges.lines) lines.push_back(to_json(line));
  for (const TaxSum& sum : charges.taxes) {
    taxes.push_back({{"category", sum.tax.code()},
                     {"percent", to_text(sum.tax.percent, 0)},
                     {"reason", sum.tax.reason},
                     {"net", to_text(sum.net)},
                     {"tax", to_text(sum.due)}});
  }
  json passed = json::object();
  for (const auto& [provider, tariff] : charges.passed)
    passed[provider] = {{"tariff", tariff.first}, {"tariff_version", tariff.second}};
  return {{"tariff", charges.tariff},
          {"tariff_version", charges.tariff_version},
          {"passed", passed},
          {"currency", charges.currency},
          {"from_ns", charges.period.from_ns},
          {"to_ns", charges.period.to_ns},
          {"lines", lines},
          {"taxes", taxes},
          {"net", to_text(charges.net)},
          {"tax", to_text(charges.tax)},
          {"gross", to_text(charges.gross)}};
}

}  // namespace anabranch::billing
