// SPDX-License-Identifier: BSD-3-Clause
// Makes a month to close: a ledger with documents and services, and the journals of gateways that
// metered them, for the tests of the command line and bench/closing. Prints what is in it as one
// JSON object: of the journals, octets and records, and octets by client and by provider.
//
//   month_generator LEDGER FOLDER [--month 2026-10] [--clients 3] [--gateways 2] [--totals 1000]
//                   [--documents FILE]    {"clients": [{…}]} and so on, in place of its own
//
// Journals go to FOLDER/site-a and so on. Clients are "client-1" …, each with a service at each
// gateway, on three paths of three providers in both directions; what belongs to no client is the
// house's. Tariffs go round: a price for each provider, tiers, a 95th percentile, a provider's own
// passed through; each fifth client has a statement a provider. All octets are random, by a seed.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "billing/journal.h"
#include "billing/ledger.h"
#include "billing/period.h"
#include "billing/samples.h"

namespace {

using namespace anabranch::billing;
using nlohmann::json;

constexpr const char* kProviders[] = {"northfibre", "airmobile", "coppertel"};
constexpr const char* kTariffs[] = {"plain", "tiers", "burst", "carriers"};
constexpr const char* kZone = "Europe/Berlin";

struct Options {
  std::string ledger, folder, month, documents;
  uint64_t clients = 3, gateways = 2, totals = 1000, segment_mb = 1, seed = 1;
};

template <typename T, typename E>
T must(tl::expected<T, E> result) {
  if (!result) {
    std::string why;
    if constexpr (std::is_same_v<E, StoreError>)
      why = result.error().text;
    else
      why = result.error();
    fmt::print(stderr, "month_generator: {}\n", why);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

Period month_of(const Options& o) {
  const Cycle cycle{must(Zone::find(kZone)), 1};
  if (!o.month.empty())
    return cycle.containing(cycle.zone.begin_ns(must(parse_day(o.month + "-01"))));
  const int64_t now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
  return cycle.containing(cycle.containing(now_ns).from_ns - 1);
}

std::string client_name(uint64_t number) {
  return fmt::format("client-{}", number);
}

// --- The ledger ---

json documents() {
  return json::parse(R"({
    "issuers": [{"id": "co", "name": "Anabranch Co", "zone": "Europe/Berlin", "grace_hours": 0}],
    "profiles": [
      {"id": "one", "billing": {"delivery": ["text", "html"]}},
      {"id": "each", "billing": {"statements": "by-provider"}}],
    "tariffs": [
      {"id": "house", "currency": "EUR", "items": [{"id": "own", "free": true}]},
      {"id": "wholesale", "currency": "EUR", "items": [{"id": "data", "per_gb": "0.20"}]},
      {"id": "plain", "currency": "EUR", "tax": {"category": "S", "percent": "19"}, "items": [
        {"id": "fibre", "providers": ["northfibre"], "per_gb": "0.50"},
        {"id": "mobile", "providers": ["airmobile"], "per_gb": "2.40"},
        {"id": "copper", "providers": ["coppertel"], "per_gb": "0.70"}]},
      {"id": "tiers", "currency": "EUR", "tax": {"category": "S", "percent": "19"}, "items": [
        {"id": "data", "graduated": [{"up_to_gb": "10", "per_gb": "1.00"}, {"per_gb": "0.50"}]},
        {"id": "line", "flat": "49.00"}]},
      {"id": "burst", "currency": "EUR", "items": [
        {"id": "fibre", "providers": ["northfibre"],
         "percentile": {"per_mbps": "2.00", "commit_mbps": "10"}},
        {"id": "rest", "per_gb": "0.90"}]},
      {"id": "carriers", "currency": "EUR", "items": [
        {"id": "carried", "pass_through": {"margin_percent": "7.5"}}]}]})");
}

// What is lost with the machine is made again; the ledger under test is opened anew, and waits.
void do_not_wait(Ledger& ledger) {
  must(ledger.store().script(ledger.store().dialect() == Store::Dialect::sqlite
                                 ? "PRAGMA synchronous=OFF"
                                 : "SET synchronous_commit=off"));
}

void put(Ledger& ledger, const std::string& kind, const json& document, int64_t from_ns) {
  must(ledger.put_document(kind, document.at("id"), document.dump(), from_ns));
}

void put_documents(const Options& o, int64_t from_ns) {
  Ledger ledger = must(Ledger::open(o.ledger, "site-a"));
  do_not_wait(ledger);
  const json everybodys = documents();
  for (const auto& [kind, all] : everybodys.items()) {
    for (const json& document : all) put(ledger, kind, document, from_ns);
  }
  for (const char* provider : kProviders)
    put(ledger, "providers", {{"id", provider}, {"tariff", "wholesale"}}, from_ns);
  for (uint64_t i = 1; i <= o.clients; ++i) {
    put(ledger, "clients",
        {{"id", client_name(i)},
         {"name", fmt::format("Client {} Ltd", i)},
         {"tariff", kTariffs[(i - 1) % std::size(kTariffs)]},
         {"profile", i % 5 == 0 ? "each" : "one"}},
        from_ns);
  }
  if (o.documents.empty()) return;
  std::ifstream in(o.documents);
  const json others = json::parse(in);
  for (const auto& [kind, all] : others.items()) {
    for (const json& document : all) put(ledger, kind, document, from_ns);
  }
}

// --- Journals ---

struct Sums {
  uint64_t octets = 0, records = 0;
  std::map<std::string, uint64_t> by_client, by_provider;
};

class Gateway {
 public:
  Gateway(const Options& o, const std::string& name, const Period& month)
      : month_(month), random_(o.seed + std::hash<std::string>()(name)) {
    Ledger ledger = must(Ledger::open(o.ledger, name));
    do_not_wait(ledger);
    catalogue_.gateway = name;
    for (const char* provider : kProviders) {
      const std::string link = std::string(provider) + "-link";
      catalogue_.paths[must(ledger.path_id(link, provider, "net"))] = {link, provider, "net"};
    }
    const Tariff tariff =
        must(parse_tariff({{"id", "plain"},
                           {"currency", "EUR"},
                           {"prices", {{{"provider", "northfibre"}, {"per_gb", "1"}}}}})
                 .map_error([](const DocumentErrors& e) { return e[0].detail; }));
    for (uint64_t i = 1; i <= o.clients; ++i) {
      const auto id = must(ledger.open_service(client_name(i), tariff, "{}", month.from_ns));
      catalogue_.services[id] = {client_name(i), "plain", "1", month.from_ns, std::nullopt};
    }
    add_meters();
    journal_ = must(Journal::open({.folder = o.folder + "/" + name,
                                   .gateway = name,
                                   .segment_octets = static_cast<uint32_t>(o.segment_mb << 20),
                                   .direct = false,
                                   .read_back = false,
                                   .prepare_in_background = false}));
    journal_->set_catalogue(catalogue_);
  }

  size_t meters() const { return readings_.size(); }

  // So many records of each meter, over the month, each of a slot of five minutes: as in a journal
  // that was compacted.
  void write(uint64_t rounds, Sums& sums) {
    const int64_t step_ns = month_.length_ns() / static_cast<int64_t>(rounds);
    const int64_t over_ns = std::min(step_ns, kSampleNs);
    for (uint64_t round = 1; round <= rounds; ++round) {
      const int64_t at_ns =
          month_.from_ns + static_cast<int64_t>(round) * step_ns / over_ns * over_ns;
      journal_->add(readings_, at_ns - over_ns);
      for (Reading& r : readings_) {
        const uint64_t packets = 1 + random_() % 10'000;
        r.octets += packets * (100 + random_() % 1400);
        r.packets += packets;
      }
      sums.records += must(journal_->record(readings_, at_ns));
    }
    for (const Reading& r : readings_) {
      sums.octets += r.octets;
      sums.by_provider[catalogue_.paths.at(r.key.path).provider] += r.octets;
      sums.by_client[r.key.service == 0 ? "house:" + catalogue_.gateway
                                        : catalogue_.services.at(r.key.service).client] += r.octets;
    }
  }

 private:
  void add_meters() {
    const uint64_t region = random_();
    const auto add = [&](uint64_t service, Kind kind) {
      for (const auto& [path, named] : catalogue_.paths) {
        for (const Direction direction : {Direction::sent, Direction::received}) {
          readings_.push_back({.key = {.region = region,
                                       .service = service,
                                       .path = path,
                                       .direction = direction,
                                       .kind = kind}});
        }
      }
    };
    add(0, Kind::control);
    for (const auto& [id, service] : catalogue_.services) add(id, Kind::first);
  }

  Period month_;
  std::mt19937_64 random_;
  Catalogue catalogue_;
  std::vector<Reading> readings_;
  std::unique_ptr<Journal> journal_;
};

void make(const Options& o) {
  const Period month = month_of(o);
  put_documents(o, month.from_ns);
  Sums sums;
  for (uint64_t i = 0; i < o.gateways; ++i) {
    Gateway gateway(o, fmt::format("site-{}", static_cast<char>('a' + i)), month);
    gateway.write(std::max<uint64_t>(1, o.totals / o.gateways / gateway.meters()), sums);
  }
  const Zone zone = must(Zone::find(kZone));
  json said{{"from", to_text(zone.day_of(month.from_ns))},
            {"to", to_text(zone.day_of(month.to_ns))},
            {"octets", sums.octets},
            {"records", sums.records},
            {"providers", sums.by_provider}};
  if (o.clients <= 100) said["accounts"] = sums.by_client;
  fmt::print("{}\n", said.dump());
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{"Makes a month to close: a ledger, and journals."};
  app.add_option("ledger", o.ledger, "a file to be, or postgresql://…")->required();
  app.add_option("folder", o.folder, "for journals")->required();
  app.add_option("--month", o.month, "such as 2026-10; by default the last");
  app.add_option("--clients", o.clients)->check(CLI::Range(1, 1'000'000));
  app.add_option("--gateways", o.gateways)->check(CLI::Range(1, 26));
  app.add_option("--totals", o.totals, "records, about; each meter has one at least");
  app.add_option("--segment-mb", o.segment_mb)->check(CLI::Range(1, 2048));
  app.add_option("--seed", o.seed);
  app.add_option("--documents", o.documents);
  CLI11_PARSE(app, argc, argv);
  make(o);
  return 0;
}
