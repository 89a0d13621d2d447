// SPDX-License-Identifier: BSD-3-Clause
#include "billing/closing_draft.h"

#include <fmt/format.h>

#include <map>

#include "billing/exact.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using Range = PeriodCollector::Range;

ClosedPeriod period_of(const StatementOf& of, const PeriodBill& bill) {
  return {.account = of.account,
          .from_ns = of.period.from_ns,
          .to_ns = of.period.to_ns,
          .closed_ns = of.issued_ns,
          .tariffs = bill.tariffs,
          .transactions = {},
          .statements = {},
          .watermarks = {},
          .provider_usage = {},
          .documents = {}};
}

std::vector<Watermark> watermarks(const std::vector<Range>& ranges,
                                  std::string (*name)(const std::string&)) {
  std::vector<Watermark> all;
  for (const Range& r : ranges) {
    all.push_back({.gateway = name(r.gateway),
                   .key = r.key,
                   .octets_from = r.from.octets,
                   .packets_from = r.from.packets,
                   .octets_to = r.to.octets,
                   .packets_to = r.to.packets});
  }
  return all;
}

std::string itself(const std::string& gateway) {
  return gateway;
}

// Divides an amount by octets, in order: what each has adds up to all.
class Division {
 public:
  Division(Amount all, uint64_t octets) : all_(all), octets_(octets) {}
  Amount next(uint64_t octets) {
    through_ += octets;
    const Amount so_far = Exact(all_).times(through_, octets_).cut_off().value_or(all_);
    const Amount part = so_far + -given_;
    given_ = so_far;
    return part;
  }

 private:
  Amount all_, given_;
  uint64_t octets_, through_ = 0;
};

Amount total(const PeriodBill& bill) {
  Amount sum;
  for (const BilledLine& b : bill.lines) sum += b.line.amount;
  return sum;
}

using ByDay = std::map<std::tuple<std::string, std::string, int64_t, int64_t>, uint64_t>;
// By gateway, path and day; what came late by the day on which it was used.
ByDay octets_by_day(const PeriodCollector& usage) {
  ByDay octets;
  const auto add = [&](const Place& place, const Period& day, uint64_t count) {
    if (count != 0) octets[{place.gateway, place.path, day.from_ns, day.to_ns}] += count;
  };
  for (const auto& [place, days] : usage.by_day()) {
    for (size_t i = 0; i < days.size(); ++i) add(place, usage.days()[i], days[i][0] + days[i][1]);
  }
  return octets;
}

std::map<std::string, uint64_t> octets_by_party(const ClosingAccounts& accounts,
                                                const PeriodCollector& usage) {
  std::map<std::string, uint64_t> octets;
  for (const PeriodUsage& part : usage.parts()) {
    for (const PeriodUsage::Line& l : part.lines())
      octets[accounts.account_of(l.place.gateway, l.service)] += l.count.octets;
  }
  octets.erase("");
  return octets;
}

uint64_t sum_of(const auto& octets) {
  uint64_t sum = 0;
  for (const auto& [key, count] : octets) sum += count;
  return sum;
}

// What is posted for a statement, on the account of who pays it; no entries: nothing is.
Transaction posting(const Issuer& issuer, const StatementOf& of, const std::string& id,
                    const IssuedStatement& statement) {
  const PeriodCharges& sums = statement.sums;
  const auto& payer = of.terms.paid_by;
  Transaction t{.id = id,
                .wall_ns = of.issued_ns,
                .purpose = of.kind + (payer ? " of " + of.terms.id : ""),
                .party = of.account,
                .corrects = "",
                .entries = {}};
  const auto add = [&](const std::string& to, Amount amount) {
    if (amount != Amount()) t.entries.push_back({to, sums.currency, amount});
  };
  add(payer ? Ledger::client_account(payer->id) : of.account, sums.gross);
  std::map<std::string, Amount> revenue;
  for (const ChargeLine& l : sums.lines)
    revenue[l.provider.empty() ? issuer.id : l.provider] += l.amount;
  for (const auto& [provider, amount] : revenue) add("revenue:" + provider, -amount);
  for (const TaxSum& tax : sums.taxes) add("tax:" + std::string(tax.tax.code()), -tax.due);
  return t;
}

// What of a statement's net is the reseller's: we owe it, as we owe what a provider has carried.
std::optional<Transaction> margin(const StatementOf& of, const std::string& id,
                                  const PeriodCharges& sums) {
  if (!of.terms.reseller) return std::nullopt;
  const int digits = minor_digits(sums.currency).value_or(2);
  const Amount amount =
      percent_of(sums.net, of.terms.reseller->margin_percent, digits).value_or(Amount());
  if (amount == Amount()) return std::nullopt;
  return Transaction{.id = id + ":margin",
                     .wall_ns = of.issued_ns,
                     .purpose = "margin",
                     .party = of.account,
                     .corrects = "",
                     .entries = {{"cost:" + of.terms.reseller->id, sums.currency, amount},
                                 {"payable:" + of.terms.reseller->id, sums.currency, -amount}}};
}

// Statements, with what is posted for each.
void add_statements(ClosedPeriod& closed, const Issuer& issuer, const StatementOf& of,
                    const std::vector<IssuedStatement>& statements, const std::string& id) {
  for (const IssuedStatement& s : statements) {
    const std::string own = fmt::format("{}:{}", id, closed.statements.size());
    Transaction t = posting(issuer, of, own, s);
    if (!t.entries.empty()) closed.transactions.push_back(std::move(t));
    if (auto share = margin(of, own, s.sums)) closed.transactions.push_back(std::move(*share));
    closed.statements.push_back(s.draft);
  }
}

std::string id_of(const char* what, const StatementOf& of) {
  return fmt::format("{}:{}:{}:{}", what, of.account, of.period.from_ns, of.period.to_ns);
}

}  // namespace

std::string kept_id(const std::string& account, const Period& period) {
  return account + " " + std::to_string(period.from_ns);
}

std::string to_text(const KeptClosing& kept) {
  json ranges = json::array();
  for (const Range& r : kept.ranges) {
    ranges.push_back({r.gateway, r.key.region, r.key.service, r.key.worker, r.key.path,
                      static_cast<int>(r.key.direction), static_cast<int>(r.key.kind),
                      r.from.octets, r.to.octets, r.from.packets, r.to.packets});
  }
  const json all{{"currency", kept.currency},
                 {"cycle", {kept.cycle.from_ns, kept.cycle.to_ns}},
                 {"ranges", ranges},
                 {"lines", kept.lines}};
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<KeptClosing> parse_kept(const std::string& text) {
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return std::nullopt;
  const json& cycle = document.at("cycle");
  KeptClosing kept{.currency = document.at("currency"),
                   .cycle = {cycle.at(0), cycle.at(1)},
                   .ranges = {},
                   .lines = document.at("lines")};
  for (const json& r : document.at("ranges")) {
    kept.ranges.push_back({r.at(0),
                           {.region = r.at(1),
                            .service = r.at(2),
                            .worker = r.at(3),
                            .path = r.at(4),
                            .direction = static_cast<Direction>(r.at(5).get<int>()),
                            .kind = static_cast<Kind>(r.at(6).get<int>())},
                           {r.at(7), r.at(9)},
                           {r.at(8), r.at(10)}});
  }
  return kept;
}

tl::expected<ClosedPeriod, std::string> close_account(const Issuer& issuer, const StatementOf& of,
                                                      const Period& cycle,
                                                      const PeriodBill& charges,
                                                      std::vector<BilledLine> others,
                                                      const PeriodCollector& usage) {
  ClosedPeriod closed = period_of(of, charges);
  const auto ranges = usage.ranges();
  closed.watermarks = watermarks(ranges, itself);
  const KeptClosing kept{charges.currency, cycle, usage.ranges_of_period(),
                         kept_lines(charges.lines)};
  closed.documents.push_back(
      {kClosings, kept_id(of.account, of.period), to_text(kept), of.issued_ns});
  PeriodBill all = charges;
  all.lines.insert(all.lines.end(), std::make_move_iterator(others.begin()),
                   std::make_move_iterator(others.end()));
  const auto statements = make_statements(issuer, of, all, &usage);
  if (!statements) return tl::unexpected(statements.error());
  add_statements(closed, issuer, of, *statements, id_of("statement", of));
  return closed;
}

tl::expected<ClosedPeriod, std::string> correct_account(const Issuer& issuer, const StatementOf& of,
                                                        const KeptClosing& now,
                                                        const PeriodBill& difference,
                                                        int64_t number) {
  ClosedPeriod closed = period_of(of, difference);
  closed.documents.push_back(
      {kClosings, kept_id(of.account, of.period), to_text(now), of.issued_ns});
  const auto statements = make_statements(issuer, of, difference, nullptr);
  if (!statements) return tl::unexpected(statements.error());
  add_statements(closed, issuer, of, *statements,
                 id_of("adjustment", of) + ":" + std::to_string(number));
  return closed;
}

tl::expected<ClosedPeriod, std::string> close_provider(const ClosingAccounts& accounts,
                                                       const StatementOf& of,
                                                       const PeriodBill& cost,
                                                       const PeriodCollector& usage) {
  ClosedPeriod closed = period_of(of, cost);
  closed.watermarks = watermarks(usage.ranges(), provider_side);
  const std::string& provider = of.terms.id;
  const Amount all = total(cost);
  auto parties = octets_by_party(accounts, usage);
  if (sum_of(parties) == 0) parties[of.account] = 1;  // fees alone
  Division among(all, sum_of(parties));
  for (const auto& [party, octets] : parties) {
    const Amount part = among.next(octets);
    if (part == Amount()) continue;
    closed.transactions.push_back(
        {.id = fmt::format("cost:{}:{}:{}:{}", provider, of.period.from_ns, of.period.to_ns, party),
         .wall_ns = of.issued_ns,
         .purpose = "cost",
         .party = party,
         .corrects = "",
         .entries = {{"cost:" + provider, cost.currency, part},
                     {of.account, cost.currency, -part}}});
  }
  auto days = octets_by_day(usage);
  const bool fees_alone = sum_of(days) == 0;
  if (fees_alone && all != Amount()) days[{"", "", of.period.from_ns, of.period.to_ns}] = 0;
  Division by_day(all, fees_alone ? 1 : sum_of(days));
  for (const auto& [key, octets] : days) {
    const auto& [gateway, path, from_ns, to_ns] = key;
    closed.provider_usage.push_back({provider, gateway, path, from_ns, to_ns, octets, cost.currency,
                                     by_day.next(fees_alone ? 1 : octets)});
  }
  return closed;
}

}  // namespace anabranch::billing
