// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_document.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

namespace anabranch::billing {
namespace {

using nlohmann::json;

std::string name_of(auto value, auto names) {
  return std::string(names[static_cast<size_t>(value)]);
}

json tax_of(const Tax& tax) {
  json out{{"category", tax.code()}, {"percent", to_text(tax.percent, 0)}};
  if (!tax.reason.empty()) out["reason"] = tax.reason;
  return out;
}

json period_of(const Period& period, const Zone& zone) {
  return {{"from", zone.text(period.from_ns)}, {"to", zone.text(period.to_ns)}};
}

json line_of(const BilledLine& billed, const Zone& zone) {
  const ChargeLine& l = billed.line;
  json at = json::array();
  for (const ChargedAt& a : l.at)
    at.push_back({{"quantity", to_text(a.quantity, 0)}, {"price", to_text(a.price)}});
  json out{{"item", l.item},
           {"description", l.description},
           {"octets", l.count.octets},
           {"packets", l.count.packets},
           {"unit", name_of(l.unit, kUnitNames)},
           {"at", at},
           {"amount", to_text(l.amount)},
           {"tax", tax_of(l.tax)}};
  if (!l.passed.empty()) out["passed"] = l.passed;
  if (billed.period) out["period"] = period_of(*billed.period, zone);
  if (const auto& c = l.conversion) {
    out["conversion"] = {{"from", c->from},
                         {"to", c->to},
                         {"of_from", to_text(c->of_from)},
                         {"of_to", to_text(c->of_to)},
                         {"rates", c->sheet},
                         {"date", to_text(c->day)}};
  }
  return out;
}

// A line for each tax, in place of a provider's lines.
std::vector<BilledLine> summarised(const std::vector<BilledLine>& lines) {
  std::map<std::tuple<TaxCategory, Amount, std::string>, BilledLine> sums;
  for (const BilledLine& b : lines) {
    BilledLine& sum = sums[{b.line.tax.category, b.line.tax.percent, b.line.tax.reason}];
    sum.line.provider = b.line.provider;
    sum.line.item = "sum";
    sum.line.description = "charges of " + b.line.provider;
    sum.line.tax = b.line.tax;
    sum.line.count.octets += b.line.count.octets;
    sum.line.count.packets += b.line.count.packets;
    sum.line.amount += b.line.amount;
  }
  std::vector<BilledLine> all;
  for (auto& [key, sum] : sums) all.push_back(std::move(sum));
  return all;
}

json section_of(const std::string& provider, const std::vector<BilledLine>& lines,
                const Zone& zone) {
  json out{{"provider", provider}, {"lines", json::array()}};
  uint64_t octets = 0;
  Amount subtotal;
  for (const BilledLine& b : lines) {
    out["lines"].push_back(line_of(b, zone));
    octets += b.line.count.octets;
    subtotal += b.line.amount;
  }
  out["octets"] = octets;
  out["subtotal"] = to_text(subtotal);
  return out;
}

json credit_of(const BilledLine& billed) {
  json out = billed.evidence;
  out["description"] = billed.line.description;
  out["amount"] = to_text(billed.line.amount);
  out["tax"] = tax_of(billed.line.tax);
  return out;
}

using Includes = std::function<bool(const std::string& provider)>;

json usage_of(const PeriodCollector& usage, const Includes& includes) {
  std::map<std::tuple<Place, Direction, Kind>, Count> sums;
  const auto add = [&](const Place& place, Direction direction, Kind kind, const Count& count) {
    if (!includes(place.provider)) return;
    Count& sum = sums[{place, direction, kind}];
    sum.octets += count.octets;
    sum.packets += count.packets;
  };
  for (const PeriodUsage& part : usage.parts()) {
    for (const PeriodUsage::Line& l : part.lines()) add(l.place, l.direction, l.kind, l.count);
  }
  for (const PeriodCollector::Late& l : usage.late())
    add(l.place, l.range.key.direction, l.range.key.kind, l.count());
  json all = json::array();
  for (const auto& [key, count] : sums) {
    const auto& [place, direction, kind] = key;
    all.push_back({{"provider", place.provider},
                   {"network", place.network},
                   {"path", place.path},
                   {"gateway", place.gateway},
                   {"direction", name_of(direction, kDirectionNames)},
                   {"kind", name_of(kind, kKindNames)},
                   {"octets", count.octets},
                   {"packets", count.packets}});
  }
  return all;
}

json days_of(const PeriodCollector& usage, const Zone& zone, const Includes& includes) {
  std::map<std::pair<size_t, std::string>, PeriodCollector::Day> sums;
  for (const auto& [place, days] : usage.by_day()) {
    if (!includes(place.provider)) continue;
    for (size_t i = 0; i < days.size(); ++i) {
      if (days[i] == PeriodCollector::Day{}) continue;
      for (size_t d = 0; d < days[i].size(); ++d) sums[{i, place.provider}][d] += days[i][d];
    }
  }
  json all = json::array();
  for (const auto& [key, day] : sums) {
    all.push_back({{"day", to_text(zone.day_of(usage.days()[key.first].from_ns))},
                   {"provider", key.second},
                   {"sent", day[static_cast<size_t>(Direction::sent)]},
                   {"received", day[static_cast<size_t>(Direction::received)]}});
  }
  return all;
}

std::vector<std::string> providers_of(const PeriodBill& bill, const PeriodCollector* usage) {
  std::set<std::string> all;
  for (const BilledLine& b : bill.lines) all.insert(b.line.provider);
  if (usage != nullptr) {
    for (const auto& [place, days] : usage->by_day()) all.insert(place.provider);
    for (const auto& late : usage->late()) all.insert(late.place.provider);
  }
  return {all.begin(), all.end()};
}

class Maker {
 public:
  Maker(const Issuer& issuer, const StatementOf& of, const PeriodBill& bill,
        const PeriodCollector* usage)
      : issuer_(issuer), of_(of), bill_(bill), usage_(usage), zone_(of.terms.cycle.zone) {}

  // Which providers are on which statement, and who issues it.
  std::vector<std::pair<std::string, std::set<std::string>>> groups() const {
    std::set<std::string> ours, others;
    for (const std::string& p : providers_of(bill_, usage_)) (is_ours(p) ? ours : others).insert(p);
    std::vector<std::pair<std::string, std::set<std::string>>> all;
    const Preferences& wish = of_.terms.preferences;
    if (wish.statements == Statements::by_provider) {
      if (!ours.empty()) all.emplace_back(issuer_.id, ours);
      for (const std::string& p : others) all.emplace_back(p, std::set{p});
    } else if (wish.provider_charges == ProviderCharges::separate) {
      if (!ours.empty()) all.emplace_back(issuer_.id, ours);
      if (!others.empty()) all.emplace_back(issuer_.id, others);
    } else if (!ours.empty() || !others.empty()) {
      others.merge(ours);
      all.emplace_back(issuer_.id, others);
    }
    return all;
  }

  tl::expected<IssuedStatement, std::string> make(const std::string& issuer,
                                                  const std::set<std::string>& providers) const {
    IssuedStatement made{
        .draft = {.issuer = issuer, .series = of_.series, .document = {}, .balance = {}},
        .sums = {}};
    PeriodCharges& sums = made.sums;
    sums.currency = bill_.currency;
    sums.period = of_.period;
    std::tie(sums.tariff, sums.tariff_version) = bill_.tariffs.back();
    for (const BilledLine& b : bill_.lines) {
      if (providers.contains(b.line.provider)) sums.lines.push_back(b.line);
    }
    if (auto summed = sum_up(sums); !summed) return tl::unexpected(summed.error());
    json& d = made.draft.document;
    d = head(issuer);
    add_charges(d, providers);
    add_sums(d, sums);
    if (!Ledger::client_of(of_.account).empty() && !of_.terms.paid_by)
      made.draft.balance = {.currency = sums.currency, .gross = sums.gross, .zone = zone_};
    const Includes includes = [&](const std::string& p) { return providers.contains(p); };
    d["usage"] = usage_ != nullptr ? usage_of(*usage_, includes) : json::array();
    d["days"] = usage_ != nullptr ? days_of(*usage_, zone_, includes) : json::array();
    return made;
  }

 private:
  bool is_ours(const std::string& provider) const {
    return provider.empty() || provider == issuer_.id;
  }

  json head(const std::string& issuer) const {
    const auto charges = of_.terms.preferences.provider_charges.value_or(ProviderCharges::itemised);
    const bool ours = issuer == issuer_.id;
    json d{
        {"kind", of_.kind},
        {"issuer", {{"id", issuer}, {"name", ours ? issuer_.name : issuer}}},
        {"account", of_.account},
        {"customer", {{"id", of_.terms.id}, {"name", of_.terms.name}}},
        {"zone", zone_.name()},
        {"from", zone_.text(of_.period.from_ns)},
        {"to", zone_.text(of_.period.to_ns)},
        {"issued", zone_.text(of_.issued_ns)},
        {"currency", bill_.currency},
        {"tariff", {{"id", bill_.tariffs.back().first}, {"version", bill_.tariffs.back().second}}},
        {"provider_charges", name_of(charges, kProviderChargesNames)}};
    if (const auto& payer = of_.terms.paid_by)
      d["payer"] = {{"id", payer->id}, {"name", payer->name}};
    if (!of_.corrects.empty()) d["corrects"] = of_.corrects;
    if (!issuer_.payment_terms.empty()) d["payment_terms"] = issuer_.payment_terms;
    const auto provider = of_.providers.find(issuer);
    if (ours || provider != of_.providers.end())
      add_party(d["issuer"], ours ? issuer_.party : provider->second);
    add_party(d["customer"], of_.customer);
    return d;
  }

  void add_charges(json& d, const std::set<std::string>& providers) const {
    const bool sums = of_.terms.preferences.provider_charges == ProviderCharges::summarised;
    d["sections"] = json::array();
    json credits = json::array();
    for (const std::string& provider : providers) {
      std::vector<BilledLine> lines;
      for (const BilledLine& b : bill_.lines) {
        if (b.line.provider != provider) continue;
        if (!b.evidence.is_null())
          credits.push_back(credit_of(b));
        else
          lines.push_back(b);
      }
      if (sums && !is_ours(provider)) lines = summarised(lines);
      if (!lines.empty()) d["sections"].push_back(section_of(provider, lines, zone_));
    }
    if (!credits.empty()) d["credits"] = std::move(credits);
  }

  static void add_sums(json& d, const PeriodCharges& sums) {
    d["taxes"] = json::array();
    for (const TaxSum& t : sums.taxes) {
      if (t.tax.category == TaxCategory::unnamed) continue;  // the tariff says nothing of taxes
      d["taxes"].push_back({{"category", t.tax.code()},
                            {"percent", to_text(t.tax.percent, 0)},
                            {"reason", t.tax.reason},
                            {"net", to_text(t.net)},
                            {"tax", to_text(t.due)}});
    }
    d["net"] = to_text(sums.net);
    d["tax"] = to_text(sums.tax);
    d["gross"] = to_text(sums.gross);
  }

  const Issuer& issuer_;
  const StatementOf& of_;
  const PeriodBill& bill_;
  const PeriodCollector* usage_;
  const Zone& zone_;
};

}  // namespace

tl::expected<std::vector<IssuedStatement>, std::string> make_statements(
    const Issuer& issuer, const StatementOf& of, const PeriodBill& bill,
    const PeriodCollector* usage) {
  const Maker maker(issuer, of, bill, usage);
  std::vector<IssuedStatement> all;
  for (const auto& [by, providers] : maker.groups()) {
    auto made = maker.make(by, providers);
    if (!made) return tl::unexpected(made.error());
    all.push_back(std::move(*made));
  }
  return all;
}

}  // namespace anabranch::billing
