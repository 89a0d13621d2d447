// SPDX-License-Identifier: BSD-3-Clause
#include "tools/bill.h"

#include <map>
#include <memory>

#include "billing/journal_usage.h"
#include "billing/price.h"
#include "tools/common.h"

namespace anabranch::tools {
namespace {

using namespace billing;
using nlohmann::json;

struct PreviewWanted {
  std::vector<std::string> folders;
  std::string ledger, client, tariff, period, from, to, zone = "Etc/UTC";
  unsigned cycle_day = 1;
  std::vector<std::string> provider_tariffs;  // "airmobile=FILE"
  std::vector<std::string> rates;
};

// A month is the cycle that begins in it.
BilledPeriod billed_period(const PreviewWanted& wanted, const Zone& zone) {
  const Cycle cycle{zone, wanted.cycle_day};
  if (!wanted.period.empty()) {
    const CivilDay first = day_of_option("--period", wanted.period + "-01");
    Period whole = cycle.containing(zone.begin_ns(first));
    if (zone.day_of(whole.from_ns).month != first.month) whole = cycle.containing(whole.to_ns);
    return {whole, whole};
  }
  const Period part{zone.begin_ns(day_of_option("--from", wanted.from)),
                    zone.begin_ns(day_of_option("--to", wanted.to))};
  return {part, cycle.containing(part.from_ns)};
}

std::map<std::string, Tariff> provider_tariffs(const PreviewWanted& wanted) {
  std::map<std::string, Tariff> all;
  for (const std::string& given : wanted.provider_tariffs) {
    const size_t equals = given.find('=');
    if (equals == std::string::npos)
      throw CLI::ValidationError("--provider-tariff", given + ": expected PROVIDER=FILE");
    all.emplace(given.substr(0, equals), read_document(given.substr(equals + 1), parse_tariff));
  }
  return all;
}

void print(const PeriodCharges& charges, const Zone& zone) {
  const auto day = [&](int64_t at) { return to_text(zone.day_of(at)); };
  fmt::print("{} up to the begin of {} ({}), tariff {}; amounts in {}; 1 GB = 10^9 octets\n\n",
             day(charges.period.from_ns), day(charges.period.to_ns), zone.name(), charges.tariff,
             charges.currency);
  for (const ChargeLine& line : charges.lines) {
    fmt::print("{:<14} {:<28} {:>22} octets {:>16}\n", line.provider.empty() ? "-" : line.provider,
               line.description, grouped(line.count.octets), to_text(line.amount));
    for (const ChargedAt& at : line.at) {
      fmt::print("{:>43} {} at {}\n", to_text(at.quantity),
                 kUnitNames[static_cast<size_t>(line.unit)], to_text(at.price));
    }
  }
  fmt::print("\n{:<67} {:>16}\n", "net", to_text(charges.net));
  for (const TaxSum& tax : charges.taxes) {
    if (tax.due != Amount())
      fmt::print("{:<67} {:>16}\n", "tax on " + to_text(tax.net), to_text(tax.due));
  }
  fmt::print("{:<67} {:>16}\n", "gross " + charges.currency, to_text(charges.gross));
}

int preview(const PreviewWanted& wanted, bool as_json) {
  if (!wanted.ledger.empty())
    return preview_open(wanted.ledger, wanted.client, wanted.folders, as_json);
  if (wanted.tariff.empty())
    throw CLI::ValidationError("--tariff", "expected --tariff, or the --ledger that has it");
  if (wanted.period.empty() == (wanted.from.empty() || wanted.to.empty()))
    throw CLI::ValidationError("--period", "expected either --period, or --from and --to");
  const Zone zone = valid(Zone::find(wanted.zone));
  const auto prices =
      valid(PriceList::make(billed_period(wanted, zone), zone,
                            read_document(wanted.tariff, parse_tariff), provider_tariffs(wanted)));
  ExchangeRates rates;
  for (const std::string& file : wanted.rates) rates.add(read_document(file, parse_rates));
  JournalUsage usage(wanted.client == "house" ? "" : wanted.client, prices);
  for (const std::string& folder : wanted.folders) {
    if (const auto added = usage.add(folder); !added) fail(kRefused, added.error());
  }
  if (wanted.client != "house" && !usage.clients().contains(wanted.client)) {
    std::string known;
    for (const std::string& client : usage.clients()) known += " " + client;
    fail(kRefused, "no service of client \"" + wanted.client +
                       "\" is in these journals; there are" + (known.empty() ? " none" : known));
  }
  const PeriodCharges charges = valid(price(usage.usage(), rates));
  if (as_json)
    print_json(to_json(charges));
  else
    print(charges, zone);
  return 0;
}

}  // namespace

void add_bill(CLI::App& app, const bool& as_json) {
  auto* bill = app.add_subcommand("bill", "what usage comes to, by the journals of gateways");
  bill->require_subcommand(1);
  add_bill_ledger(*bill, as_json);
  add_bill_pay(*bill, as_json);
  auto wanted = std::make_shared<PreviewWanted>();
  auto* sub = bill->add_subcommand("preview",
                                   "what a client would be charged by a tariff; changes nothing");
  sub->add_option("folder", wanted->folders, "STATE_DIR/journal of one or more gateways")
      ->required();
  sub->add_option("--client", wanted->client, "whose usage; house: what belongs to no client")
      ->required();
  auto* ledger = sub->add_option("--ledger", wanted->ledger,
                                 "by its tariffs, and what it does not have on a statement yet");
  sub->add_option("--tariff", wanted->tariff, "or by this tariff, a JSON file")->excludes(ledger);
  sub->add_option("--period", wanted->period, "a month, such as 2026-11");
  sub->add_option("--from", wanted->from, "or from this day, such as 2026-11-25, …");
  sub->add_option("--to", wanted->to, "… up to the begin of this one");
  sub->add_option("--zone", wanted->zone, "in which days begin; by default UTC");
  sub->add_option("--cycle-day", wanted->cycle_day, "of the month, on which a cycle begins")
      ->check(CLI::Range(1u, 31u));
  sub->add_option("--provider-tariff", wanted->provider_tariffs,
                  "PROVIDER=FILE, where the tariff passes a provider's own through");
  sub->add_option("--rates", wanted->rates, "a file of exchange rates");
  sub->callback([wanted, &as_json] {
    if (const int status = preview(*wanted, as_json); status != 0) std::exit(status);
  });
}

}  // namespace anabranch::tools
