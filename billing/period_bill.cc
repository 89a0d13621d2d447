// SPDX-License-Identifier: BSD-3-Clause
#include "billing/period_bill.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "billing/exact.h"
#include "billing/price.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using Status = tl::expected<void, std::string>;

Status convert(ChargeLine& line, const Conversion& by) {
  const auto exact =
      Exact(line.exact)
          .times(static_cast<Uint128>(by.of_to.attos()), static_cast<Uint128>(by.of_from.attos()))
          .cut_off();
  if (!exact)
    return tl::unexpected("item " + line.item + " comes to more than 10^20 " + by.to +
                          "; a price or an exchange rate must be wrong");
  line.exact = *exact;
  line.amount = round_to_minor(*exact, minor_digits(by.to).value());
  if (!line.conversion) line.conversion = by;
  return {};
}

Status convert(PeriodCharges& charges, const std::string& currency, const PriceList& prices,
               const ExchangeRates& rates) {
  if (currency == charges.currency) return {};
  const CivilDay last = prices.zone().day_of(prices.part().to_ns - 1);
  const auto by = rates.find(charges.currency, currency, last);
  if (!by) return tl::unexpected(by.error());
  for (ChargeLine& line : charges.lines) {
    if (auto done = convert(line, *by); !done) return done;
  }
  charges.currency = currency;
  return {};
}

using Key = std::tuple<std::string, std::string, std::string, TaxCategory, Amount>;
Key key_of(const ChargeLine& l) {
  return {l.provider, l.item, l.passed, l.tax.category, l.tax.percent};
}

// What a line of before says, in place of one of now.
ChargeLine read_kept(const json& kept) {
  ChargeLine line{.provider = kept.at("provider"),
                  .item = kept.at("item"),
                  .passed = kept.at("passed"),
                  .description = kept.at("description")};
  line.count = {kept.at("octets"), kept.at("packets")};
  line.amount = parse_amount(kept.at("amount").get<std::string>()).value();
  line.tax = {static_cast<TaxCategory>(kept.at("tax").at("category").get<int>()),
              parse_amount(kept.at("tax").at("percent").get<std::string>()).value(),
              kept.at("tax").at("reason")};
  return line;
}

struct Octets {
  uint64_t all = 0;
  std::map<std::pair<std::string, uint64_t>, uint64_t> of;  // by gateway and service
};
Octets octets_by_service(const PeriodCollector& usage) {
  Octets octets;
  for (const PeriodUsage& part : usage.parts()) {
    for (const PeriodUsage::Line& l : part.lines()) {
      octets.of[{l.place.gateway, l.service}] += l.count.octets;
      octets.all += l.count.octets;
    }
  }
  return octets;
}

struct Missed {
  const Promise* promise;
  Kept kept;
  Amount percent;  // credited
};

std::vector<Missed> missed(const Agreement& agreement, const ServiceMinutes& service) {
  std::vector<Missed> all;
  Amount left = Amount::from_attos(100 * kAttosPerUnit);
  for (const Promise& promise : agreement.promises) {
    const auto how = kept(promise, service.minutes);
    if (!how) continue;
    const Amount percent = std::min(credit_percent(promise, *how), left);
    if (percent == Amount()) continue;
    left += -percent;
    all.push_back({&promise, *how, percent});
  }
  return all;
}

std::string text_of(const Missed& m, uint64_t service) {
  const auto name = kPromiseNames[static_cast<size_t>(m.promise->of)];
  return fmt::format("{} of service {}: {} %, {} % promised", name, service,
                     to_text(m.kept.percent, 0), to_text(m.promise->credits.front().below, 0));
}

json evidence_of(const Missed& m, const ServiceMinutes& s, const Zone& zone, const Period& period) {
  json limit;
  if (m.promise->of != Promise::Of::availability) limit = to_text(m.promise->limit, 0);
  return {{"service", s.service},
          {"gateway", s.gateway},
          {"promise", kPromiseNames[static_cast<size_t>(m.promise->of)]},
          {"limit", limit},
          {"promised", to_text(m.promise->credits.front().below, 0)},
          {"measured", to_text(m.kept.percent, 0)},
          {"credit_percent", to_text(m.percent, 0)},
          {"window", {{"from", zone.text(period.from_ns)}, {"to", zone.text(period.to_ns)}}},
          {"samples", m.kept.minutes},
          {"missed", m.kept.missed}};
}

}  // namespace

tl::expected<PeriodBill, std::string> make_bill(const PeriodCollector& usage,
                                                const std::string& currency,
                                                const ExchangeRates& rates) {
  PeriodBill bill{.currency = currency};
  for (const PeriodUsage& part : usage.parts()) {
    auto charges = price(part, rates);
    if (!charges) return tl::unexpected(charges.error());
    if (bill.currency.empty()) bill.currency = charges->currency;
    const PriceList& prices = part.prices();
    if (auto done = convert(*charges, bill.currency, prices, rates); !done)
      return tl::unexpected("tariff " + charges->tariff + ": " + done.error());
    bill.tariffs.emplace_back(charges->tariff, charges->tariff_version);
    for (const auto& [provider, own] : charges->passed)
      bill.tariffs.insert(bill.tariffs.begin(), own);
    for (ChargeLine& line : charges->lines) {
      BilledLine billed{.line = std::move(line)};
      if (usage.parts().size() > 1) billed.period = prices.part();
      bill.lines.push_back(std::move(billed));
    }
  }
  return bill;
}

json kept_lines(std::span<const BilledLine> lines) {
  json all = json::array();
  for (const BilledLine& b : lines) {
    const ChargeLine& l = b.line;
    all.push_back({{"provider", l.provider},
                   {"item", l.item},
                   {"passed", l.passed},
                   {"description", l.description},
                   {"octets", l.count.octets},
                   {"packets", l.count.packets},
                   {"amount", to_text(l.amount)},
                   {"tax",
                    {{"category", static_cast<int>(l.tax.category)},
                     {"percent", to_text(l.tax.percent, 0)},
                     {"reason", l.tax.reason}}}});
  }
  return all;
}

std::vector<BilledLine> differences(const json& kept, std::span<const BilledLine> now,
                                    const Period& period) {
  std::map<Key, std::pair<ChargeLine, ChargeLine>> lines;  // before, now
  const auto add = [](ChargeLine& sum, const ChargeLine& line) {
    const Count count = sum.count;
    const Amount amount = sum.amount;
    sum = line;
    sum.count = {sum.count.octets + count.octets, sum.count.packets + count.packets};
    sum.amount += amount;
  };
  for (const json& k : kept) {
    const ChargeLine line = read_kept(k);
    add(lines[key_of(line)].first, line);
  }
  for (const BilledLine& b : now) add(lines[key_of(b.line)].second, b.line);
  std::vector<BilledLine> all;
  for (const auto& [key, both] : lines) {
    const auto& [before, after] = both;
    if (before.amount == after.amount && before.count == after.count) continue;
    ChargeLine line = after.item.empty() ? before : after;
    line.at.clear();
    line.conversion.reset();
    line.count = after.count > before.count ? after.count - before.count : Count{};
    line.amount = after.amount + -before.amount;
    line.exact = line.amount;
    all.push_back({.line = std::move(line), .period = period, .evidence = {}});
  }
  return all;
}

std::vector<BilledLine> credits(const Agreement& agreement,
                                std::span<const ServiceMinutes> services,
                                const PeriodCollector& usage, const PeriodBill& bill) {
  const Octets octets = octets_by_service(usage);
  PeriodCharges charges{.currency = bill.currency};
  for (const BilledLine& b : bill.lines) charges.lines.push_back(b.line);
  if (!sum_up(charges)) return {};
  const int digits = minor_digits(bill.currency).value();
  const Zone& zone = usage.parts().front().prices().zone();
  std::vector<BilledLine> all;
  for (const ServiceMinutes& s : services) {
    const auto own = octets.of.find({s.gateway, s.service});
    // Where nothing was carried, what all came to (fees) is divided evenly.
    const Uint128 part = octets.all == 0 ? 1 : own == octets.of.end() ? 0 : own->second;
    const Uint128 whole = octets.all == 0 ? services.size() : octets.all;
    for (const Missed& m : missed(agreement, s)) {
      for (const TaxSum& tax : charges.taxes) {
        if (tax.net <= Amount()) continue;
        const auto amount =
            Exact(tax.net).times(m.percent).times(1, 100).times(part, whole).cut_off();
        const Amount rounded = amount ? round_to_minor(*amount, digits) : Amount();
        if (rounded == Amount()) continue;
        ChargeLine line{
            .provider = "",
            .item = "sla-" + std::string(kPromiseNames[static_cast<size_t>(m.promise->of)]),
            .passed = "",
            .description = text_of(m, s.service)};
        line.unit = Unit::cycle;
        line.exact = line.amount = -rounded;
        line.tax = tax.tax;
        all.push_back({.line = std::move(line),
                       .period = {},
                       .evidence = evidence_of(m, s, zone, usage.period())});
      }
    }
  }
  return all;
}

}  // namespace anabranch::billing
