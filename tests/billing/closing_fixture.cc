// SPDX-License-Identifier: BSD-3-Clause
#include "tests/billing/closing_fixture.h"

#include <stdexcept>

namespace anabranch::billing {
namespace {

template <typename T, typename E>
T must(tl::expected<T, E> result) {
  if constexpr (std::is_same_v<E, std::string>) {
    if (!result) throw std::runtime_error(result.error());
  } else {
    if (!result) throw std::runtime_error(result.error().text);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

MeteringGateway::MeteringGateway(const std::string& folder, const std::string& name,
                                 uint64_t region)
    : folder_(folder), region_(region), catalogue_{.gateway = name, .paths = {}, .services = {}} {
  journal_ = must(Journal::open({.folder = folder,
                                 .gateway = name,
                                 .segment_octets = 1u << 20,
                                 .direct = false,
                                 .read_back = false,
                                 .prepare_in_background = false}));
}

void MeteringGateway::path(uint16_t id, const std::string& name, const std::string& provider) {
  catalogue_.paths[id] = {name, provider, "net"};
  journal_->set_catalogue(catalogue_);
}

void MeteringGateway::service(uint64_t id, const std::string& client) {
  catalogue_.services[id] = {client, "t", "1", 1, std::nullopt};
  journal_->set_catalogue(catalogue_);
}

MeteringGateway& MeteringGateway::used(int64_t at_ns, uint64_t service, uint16_t path,
                                       uint64_t octets, int64_t over_ns, Direction direction,
                                       Kind kind) {
  const MeterKey key{
      .region = region_, .service = service, .path = path, .direction = direction, .kind = kind};
  Reading& reading = readings_[key];
  reading.key = key;
  journal(at_ns - over_ns);
  reading.octets += octets;
  reading.packets += octets / 1000;
  journal(at_ns);
  return *this;
}

void MeteringGateway::journal(int64_t at_ns) {
  std::vector<Reading> all;
  for (const auto& [key, reading] : readings_) all.push_back(reading);
  must(journal_->record(all, at_ns));
}

uint64_t MeteringGateway::octets() const {
  uint64_t sum = 0;
  for (const auto& [key, reading] : readings_) sum += reading.octets;
  return sum;
}

void ClosingTest::SetUp() {
  LedgerTest::SetUp();
  ledger_.emplace(open("site-a"));
  put("issuers", {{"id", "co"}, {"name", "Anabranch Co"}, {"zone", "Europe/Berlin"}});
  put("tariffs",
      {{"id", "house"}, {"currency", "EUR"}, {"items", {{{"id", "own"}, {"free", true}}}}});
  put("profiles", {{"id", "plain"}});
  add_gateway("site-a");
}

void ClosingTest::put(const std::string& kind, const nlohmann::json& document, int64_t from_ns) {
  must(ledger_->put_document(kind, document.at("id"), document.dump(), from_ns));
}

void ClosingTest::add_gateway(const std::string& name) {
  const auto region = 1000 + gateways_.size();
  auto gateway = std::make_unique<MeteringGateway>(folder_ + "/" + name, name, region);
  Ledger own = open(name);
  for (const char* provider : {"alpha", "beta"}) {
    const std::string link = std::string(provider) + "-link";
    gateway->path(must(own.path_id(link, provider, "net")), link, provider);
  }
  gateways_[name] = std::move(gateway);
}

uint64_t ClosingTest::open_service(const std::string& name, const std::string& client,
                                   int64_t at_ns, const nlohmann::json& request) {
  Ledger own = open(name);
  const auto id =
      must(own.open_service(client, billing::tariff("std", "1"), request.dump(), at_ns));
  gateway(name).service(id, client);
  return id;
}

Closer ClosingTest::closer(std::vector<std::string> journals, Ledger* ledger) {
  ClosingOptions options{.journals = std::move(journals), .without = {}, .threads = 2};
  if (options.journals.empty()) {
    for (const auto& [name, g] : gateways_) options.journals.push_back(g->folder());
  } else {
    for (const auto& [name, g] : gateways_) options.without.insert(name);
  }
  return {ledger != nullptr ? *ledger : *ledger_, options};
}

ClosingReport ClosingTest::close(int64_t now_ns) {
  auto report = must(closer().run(now_ns));
  for (const auto& [account, problem] : report.problems)
    throw std::runtime_error(account + ": " + problem);
  return report;
}

std::vector<nlohmann::json> ClosingTest::statements(const std::string& account) {
  std::vector<nlohmann::json> all;
  for (const StoredStatement& s : must(ledger_->statements(account)))
    all.push_back(nlohmann::json::parse(s.document));
  return all;
}

std::string ClosingTest::told(const nlohmann::json& statement) {
  std::string all;
  for (const auto& section : statement.at("sections")) {
    for (const auto& line : section.at("lines")) {
      const std::string provider = section.at("provider");
      all += (all.empty() ? "" : ", ") + (provider.empty() ? "" : provider + " ") +
             line.at("item").get<std::string>() + " " + line.at("amount").get<std::string>();
    }
  }
  return all;
}

Amount ClosingTest::gross(const std::string& account) {
  Amount sum;
  for (const auto& s : statements(account)) sum += money(s.at("gross").get<std::string>().c_str());
  return sum;
}

uint64_t ClosingTest::octets_stated() {
  uint64_t sum = 0;
  const auto rows = must(ledger_->store().read("SELECT document FROM statements"));
  for (const Row& r : rows) {
    const auto document = nlohmann::json::parse(r.text(0));
    for (const auto& u : document.at("usage")) sum += u.at("octets").get<uint64_t>();
  }
  return sum;
}

uint64_t ClosingTest::octets_used() const {
  uint64_t sum = 0;
  for (const auto& [name, g] : gateways_) sum += g->octets();
  return sum;
}

}  // namespace anabranch::billing
