// SPDX-License-Identifier: BSD-3-Clause
#include "control/services.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "billing/wall_clock.h"
#include "control/admission.h"
#include "control/kept_file.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

constexpr auto kStartPatience = std::chrono::seconds(4);
constexpr auto kQuiet =
    std::chrono::milliseconds(600);  // longer than any hole may wait, and a round trip
constexpr auto kFlushRetry = std::chrono::seconds(1);
constexpr int64_t kKeptEvery = 60;  // seconds
constexpr auto kEndPatience = std::chrono::seconds(10);

std::string ratings_file(const Config& config) {
  return config.state_dir + "/ratings.json";
}
std::string spending_file(const Config& config) {
  return config.state_dir + "/spending.json";
}

// Made of what was kept; anew, and said so, where that is gone or spoilt.
template <typename T>
T read_kept_as(const std::string& file, const char* what) {
  const auto kept = read_kept(file);
  if (kept && !*kept) return T();
  auto made = kept ? T::from_json(**kept) : tl::expected<T, std::string>(T());
  if (kept && made) return std::move(*made);
  spdlog::warn("{} begin anew: {}", what, kept ? file + ": " + made.error() : kept.error());
  return T();
}

bool is_suspended(const billing::Standing* standing) {
  return standing != nullptr && standing->then == billing::WhenOverdue::suspend;
}

// Within what is left of a service whose client is in arrears.
Carriage restricted(Carriage carriage, const billing::Standing* standing) {
  if (standing == nullptr || standing->then == billing::WhenOverdue::nothing) return carriage;
  const uint64_t most =
      is_suspended(standing) ? Treatment::kRateMin : uint64_t{standing->restrict_kbps} * 1000;
  carriage.rate_max = carriage.rate_max == 0 ? most : std::min(carriage.rate_max, most);
  return carriage;
}

std::string overdue_words(const billing::Standing* standing) {
  if (standing == nullptr) return "nothing is overdue or used up any more";
  const std::string why = standing->statement.empty()
                              ? "what was paid ahead is used up"
                              : "statement " + standing->statement + " is overdue";
  switch (standing->then) {
    case billing::WhenOverdue::suspend:
      return "suspended, for " + why;
    case billing::WhenOverdue::restrict:
      return "restricted to " + rate_text(uint64_t{standing->restrict_kbps} * 1000) + ", for " +
             why;
    case billing::WhenOverdue::nothing:
      break;
  }
  return why;
}

}  // namespace

Services::Services(const Config& config, DocumentStore& documents, Books& books, Carrier& carrier,
                   Peering& peering, PathMonitor& paths, const Topology& topology, Market& market,
                   Flush flush, Chronicle& chronicle)
    : config_(config),
      documents_(documents),
      books_(books),
      carrier_(carrier),
      peering_(peering),
      paths_(paths),
      topology_(topology),
      market_(market),
      flush_(std::move(flush)),
      chronicle_(chronicle),
      minutes_(config.name) {
  history_ = read_kept_as<RatingHistory>(ratings_file(config), "ratings");
  spending_ = read_kept_as<Spending>(spending_file(config), "sums spent of budgets");
  ratings_ = control::rate(paths_.states(topology_.path_sizes()));
}

tl::expected<Services::Terms, Answer> Services::terms_of(const ServiceRequest& request) const {
  const auto terms = terms_of(request.client);
  if (!terms) return terms;
  return Terms{terms->profile.for_traffic(request.traffic), terms->tariff, terms->objectives,
               terms->use};
}

tl::expected<Services::Terms, Answer> Services::terms_of(const std::string& id) const {
  const Client& client = *documents_.client(id);
  const Profile* profile = documents_.profile(client.profile);
  const billing::Tariff* tariff = documents_.tariff(client.tariff);
  const auto use = uses_.find(id);
  if (profile != nullptr && tariff != nullptr)
    return Terms{*profile, *tariff, documents_.objectives(client.sla),
                 use == uses_.end() || use->second.tariff_version != tariff->version
                     ? nullptr
                     : &use->second};
  return tl::unexpected(refuse(409, "Incomplete client",
                               "client \"" + client.id + "\" names profile \"" + client.profile +
                                   "\" and tariff \"" + client.tariff +
                                   "\"; one of them does not exist"));
}

void Services::request(const json& document, Reply reply) {
  const int64_t now_s = billing::wall_now_s();
  const auto request = admit(document, config_, documents_, now_s);
  if (!request) return reply(request.error());
  if (const auto known = known_by_key(*request)) return reply(*known);
  const bool is_later = request->start_s.value_or(now_s) > now_s;
  if (!is_later && !peering_.is_up()) {
    return reply(refuse(
        503, "Peer not connected",
        "the control session with " + config_.peer.name + " is down; try again when it is up"));
  }
  Ruling decided = choose(*request, nullptr);
  if (decided.outcome) return open(*request, std::move(decided), std::move(reply));
  auto need = need_of(*request, now_s);
  if (need) return negotiate(*request, std::move(*need), decided.outcome.error(), std::move(reply));
  reply(decided.outcome.error());
  chronicle_.asked(std::move(decided));
}

void Services::open(const ServiceRequest& request, Ruling decided, Reply reply) {
  const int64_t now_s = billing::wall_now_s();
  const Scenario scenario = *decided.outcome;
  const Client& client = *documents_.client(request.client);
  const billing::Tariff& tariff = *documents_.tariff(client.tariff);
  const auto id = books_.open_service(client.id, tariff, control::to_json(request).dump());
  if (!id) return reply(refuse(500, "Not stored", id.error()));
  decided.services = {{*id, client.id}};
  note_key(*id, request);
  Service service{.request = request, .asked_s = now_s};
  service.currency = tariff.currency;
  service.scenario = scenario;
  if (request.start_s.value_or(now_s) > now_s) {
    service.state = State::scheduled;
    reply({201, to_json(*id, services_[*id] = std::move(service))});
    return chronicle_.asked(std::move(decided));
  }
  if (const auto carried = carry(*id, service); !carried) {
    books_.close_service(*id);
    forget_key(*id, request);
    return reply(refuse(503, "No room", carried.error()));
  }
  service.reply = std::move(reply);
  put_in_force(*id, services_[*id] = std::move(service), scenario);
  chronicle_.asked(std::move(decided));
}

tl::expected<void, std::string> Services::carry(uint64_t id, Service& service) {
  const auto added = carrier_.add(id, service.request.client, service.request.traffic, {});
  if (!added) return tl::unexpected(added.error());
  service.state = State::starting;
  service.since = Clock::now();
  moving_.insert(id);
  return {};
}

void Services::change(uint64_t id, const Caller& caller, const json& document, Reply reply) {
  if (find(id, caller) == nullptr) return reply(unknown(id));
  Service& service = services_.at(id);
  const auto request = admit(document, config_, documents_, billing::wall_now_s());
  if (!request) return reply(request.error());
  if (request->client != service.request.client) {
    return reply(refuse(422, "Another client's", "a service stays its client's",
                        {{"/client", "expected \"" + service.request.client + "\""}}));
  }
  if (service.state != State::active && service.state != State::scheduled) {
    return reply(
        refuse(409, "Not in force",
               "service " + std::to_string(id) + " is being started or ended; ask again later"));
  }
  if (service.state == State::active && request->start_s != service.request.start_s) {
    return reply(refuse(422, "Begun already", "the service is in force",
                        {{"/start", "expected as it was asked for, or nothing"}}));
  }
  if (const auto other = id_of_key(request->client, request->key); other && *other != id)
    return reply(key_is_in_use(*other, request->key));
  Ruling decided = choose(*request, &service.scenario, id);
  decided.services = {{id, request->client}};
  if (!decided.outcome) {
    reply(decided.outcome.error());
    return chronicle_.asked(std::move(decided));
  }
  const Scenario scenario = *decided.outcome;
  if (const auto kept = books_.change_request(id, control::to_json(*request).dump()); !kept)
    return reply(refuse(500, "Not stored", kept.error()));
  forget_key(id, service.request);
  note_key(id, *request);
  service.request = *request;
  service.note.clear();
  spdlog::info("service {} of client {} was asked for anew", id, request->client);
  if (service.state == State::scheduled) {
    service.scenario = scenario;
  } else {
    carrier_.set_rules(*carrier_.find(id), request->traffic);
    put_in_force(id, service, scenario);
  }
  reply({200, to_json(id, service)});
  chronicle_.changed(std::move(decided));
}

std::optional<uint64_t> Services::id_of_key(const std::string& client,
                                            const std::string& key) const {
  const auto found = by_key_.find({client, key});
  return found == by_key_.end() ? std::nullopt : std::optional(found->second);
}

void Services::note_key(uint64_t id, const ServiceRequest& request) {
  if (!request.key.empty()) by_key_.try_emplace({request.client, request.key}, id);
}

void Services::forget_key(uint64_t id, const ServiceRequest& request) {
  const auto found = by_key_.find({request.client, request.key});
  if (found != by_key_.end() && found->second == id) by_key_.erase(found);
}

Answer Services::key_is_in_use(uint64_t by, const std::string& key) {
  return refuse(409, "Key is in use",
                "service " + std::to_string(by) + " was asked for with the key \"" + key +
                    "\" and is another; use a key of its own, or end it",
                {{"/key", "expected one that is new"}});
}

std::optional<Answer> Services::known_by_key(const ServiceRequest& request) const {
  if (request.key.empty()) return std::nullopt;
  const auto id = id_of_key(request.client, request.key);
  if (!id) return std::nullopt;
  const Service& service = services_.at(*id);
  if (control::to_json(service.request) == control::to_json(request))
    return Answer{200, to_json(*id, service)};
  return key_is_in_use(*id, request.key);
}

tl::expected<void, std::string> Services::reopen() {
  const auto stored = books_.services();
  if (!stored) return tl::unexpected(stored.error());
  std::vector<billing::ServiceEntry> entries = *stored;
  std::erase_if(entries, [](const billing::ServiceEntry& entry) { return entry.closed(); });
  std::set<uint64_t> open;
  for (const auto& entry : entries) open.insert(entry.id);
  carrier_.release_others(open);
  for (const billing::ServiceEntry& entry : entries) {
    const auto request = parse_request(json::parse(entry.request, nullptr, false));
    const Client* client = documents_.client(entry.client);
    const billing::Tariff* tariff = client == nullptr ? nullptr : documents_.tariff(client->tariff);
    if (!request || tariff == nullptr) {
      spdlog::error(
          "service {} of client {} is not in force: its client, tariff or request is not "
          "understood any more",
          entry.id, entry.client);
      continue;
    }
    const int64_t asked_s = entry.opened_ns / 1'000'000'000;
    Service service{.request = *request, .asked_s = asked_s};
    service.currency = tariff->currency;
    if (request->start_s.value_or(0) > billing::wall_now_s()) {
      service.state = State::scheduled;
    } else if (const auto carried = carry(entry.id, service); !carried) {
      spdlog::error("service {}: {}", entry.id, carried.error());
      continue;
    }
    note_key(entry.id, *request);
    services_[entry.id] = std::move(service);
    spdlog::info("service {} of client {} goes on", entry.id, entry.client);
  }
  return {};
}

void Services::put_in_force(uint64_t id, Service& service, const Scenario& scenario) {
  service.scenario = scenario;
  const auto* standing = standing_of(service);
  service.down = restricted(carriage_down(scenario), standing);
  Carried& carried = *carrier_.find(id);
  carrier_.set_suspended(carried, is_suspended(standing));
  carrier_.set_carriage(carried, restricted(carriage_up(scenario), standing));
  peering_.announce(carried, service.down);
}

const billing::Standing* Services::standing_of(const Service& service) const {
  const auto found = overdue_.find(service.request.client);
  return found == overdue_.end() ? nullptr : &found->second;
}

void Services::set_overdue(const Overdue& overdue) {
  std::map<uint64_t, std::optional<billing::Standing>> before;
  for (const auto& [id, service] : services_) {
    if (const auto* standing = standing_of(service)) before[id] = *standing;
  }
  overdue_ = overdue;
  for (auto& [id, service] : services_) {
    const auto* standing = standing_of(service);
    const auto now = standing == nullptr ? std::nullopt : std::optional(*standing);
    if (now == before[id]) continue;
    if (service.state == State::active || service.state == State::starting)
      put_in_force(id, service, service.scenario);
    const char* event = standing == nullptr ? "service-paid" : "service-overdue";
    spdlog::info("service {} of client {}: {}", id, service.request.client,
                 overdue_words(standing));
    chronicle_.service(event, id, service.request.client, {{"what", overdue_words(standing)}});
  }
}

void Services::begin_what_is_due() {
  const int64_t now_s = billing::wall_now_s();
  for (auto& [id, service] : services_) {
    if (service.state != State::scheduled || *service.request.start_s > now_s) continue;
    if (const auto carried = carry(id, service); !carried) {
      service.note = "it cannot begin yet: " + carried.error();
      continue;
    }
    spdlog::info("service {} begins, as it was asked for", id);
    service.note.clear();
    put_in_force(id, service, service.scenario);
  }
}

void Services::end_what_is_over() {
  const int64_t now_s = billing::wall_now_s();
  std::vector<std::pair<uint64_t, std::string>> over;
  for (const auto& [id, service] : services_) {
    if (service.state != State::active && service.state != State::scheduled) continue;
    const auto until_s = end_of(service.request, service.asked_s);
    if (until_s && *until_s <= now_s)
      over.emplace_back(id, "it was asked for until " + instant_text(*until_s));
    else if (is_spent(id, service))
      over.emplace_back(
          id, "its budget of " + *service.request.budget + " " + service.currency + " is used up");
  }
  for (const auto& [id, why] : over) {
    spdlog::info("service {} ends: {}", id, why);
    end(id, services_.at(id), nullptr);
  }
}

// Only of those that have a budget, or whose client pays ahead; of those from now on, as what was
// before is priced by the journal.
void Services::spend() {
  Priced priced;
  const int64_t now_ns = billing::wall_now_ns();
  for (const auto& [id, service] : services_) {
    const std::string& client = service.request.client;
    const bool for_client = counts_spending_of_ && counts_spending_of_(client);
    if ((!service.request.budget && !for_client) || !is_carried(service)) continue;
    auto terms = terms_of(service.request);
    if (!terms) continue;
    terms->use = nullptr;  // what is estimated must not be too little
    const auto [charged, is_new] =
        priced.try_emplace({terms->profile.id, terms->tariff.id, nullptr});
    if (is_new) charged->second.paths = charged_paths(*terms, now_ns);
    Spending::Prices prices;
    for (const PathState& path : charged->second.paths) {
      prices[path.index] =
          billing::Amount::from_attos(static_cast<billing::Int128>(path.price_attos_per_octet));
    }
    const billing::Amount before = spending_.spent(id);
    spending_.count(id, carrier_.first_octets(*carrier_.find(id)), prices);
    if (for_client && !counted_.insert(id).second)
      spent_by_client_[client] += spending_.spent(id) + -before;
  }
}

std::set<std::string> Services::priced_by_use() const {
  std::set<std::string> clients;
  for (const auto& [id, service] : services_) {
    if (!is_carried(service) || clients.contains(service.request.client)) continue;
    const auto terms = terms_of(service.request.client);
    if (terms && billing::depends_on_use(terms->tariff)) clients.insert(service.request.client);
  }
  return clients;
}

std::map<std::string, billing::Amount> Services::spent_by_client() const {
  std::map<std::string, billing::Amount> all;
  for (const auto& [id, service] : services_) {
    const std::string& client = service.request.client;
    if (!is_carried(service) || all.contains(client)) continue;
    const auto known = spent_by_client_.find(client);
    all[client] = known == spent_by_client_.end() ? billing::Amount() : known->second;
  }
  return all;
}

bool Services::is_spent(uint64_t id, const Service& service) const {
  if (!service.request.budget) return false;
  return spending_.spent(id) >=
         billing::parse_amount(*service.request.budget).value_or(billing::Amount());
}

void Services::rate() {
  const int64_t now_s = billing::wall_now_s();
  history_.add(now_s, paths_.states(topology_.path_sizes()));
  ratings_ = history_.ratings();
  rated_at_ = Clock::now();
  if (now_s - kept_at_s_ < kKeptEvery) return;
  kept_at_s_ = now_s;
  keep();
}

void Services::keep() {
  const auto write = [this](const std::string& file, json kept) {
    books_.post([file, kept = std::move(kept)] {
      if (const auto written = write_kept(file, kept); !written)
        spdlog::warn("not kept for a restart: {}", written.error());
    });
  };
  write(ratings_file(config_), history_.to_json());
  if (!spending_.empty()) write(spending_file(config_), spending_.to_json());
}

void Services::recompute() {
  begin_what_is_due();
  spend();
  end_what_is_over();
  market_.tick([this](const Order& order) { return needs(order); },
               [this](const Order& order) { return need_again(order); });
  decide_and_tell();
}

// Those that are held back no more are seen by the next round, within a second.
void Services::react() {
  const uint16_t before = alive_;
  paths_.look();
  look_at_paths();
  if (alive_ != before) decide_and_tell();
}

void Services::look_at_paths() {
  alive_ = paths_.alive();
  const auto now = Clock::now();
  for (const PathConfig& path : config_.peer.paths) {
    if ((alive_ >> path.id & 1) != 0) seen_alive_[path.id] = now;
  }
}

std::array<size_t, dataplane::kPathsMax> Services::users() const {
  std::array<size_t, dataplane::kPathsMax> users{};
  for (const auto& [id, service] : services_) {
    if (!is_carried(service)) continue;
    for (const auto& share : service.scenario.shares) ++users[share.path_index];
  }
  return users;
}

// How soon a dead path is left is told. It was found dead after it was last seen alive, so no
// sooner than that.
void Services::decide_and_tell() {
  look_at_paths();
  const auto before = users();
  decide();
  const auto after = users();
  const auto now = Clock::now();
  const uint16_t alive = paths_.alive();
  for (const PathConfig& path : config_.peer.paths) {
    const size_t left = before[path.id] - std::min(before[path.id], after[path.id]);
    if (left == 0 || (alive >> path.id & 1) != 0) continue;
    const std::chrono::duration<double, std::milli> since = now - seen_alive_[path.id];
    chronicle_.path_left(path.uplink, path.id, left, since.count());
  }
}

void Services::announce_all() {
  for (auto& [id, service] : services_) {
    if (is_carried(service)) peering_.announce(*carrier_.find(id), service.down);
  }
}

void Services::refused(uint64_t id, const std::string& reason) {
  const auto found = services_.find(id);
  if (found == services_.end()) return;
  spdlog::warn("service {} refused by {}: {}", id, config_.peer.name, reason);
  if (found->second.state == State::starting && found->second.reply) {
    give_up(id, found->second,
            refuse(502, "Refused by the peer", config_.peer.name + ": " + reason));
  }
}

void Services::tick() {
  // Services may go, or begin to end, while they are looked at.
  for (const uint64_t id : std::vector<uint64_t>(moving_.begin(), moving_.end())) {
    const auto found = services_.find(id);
    if (found == services_.end() || !tick(id, found->second)) moving_.erase(id);
  }
}

bool Services::tick(uint64_t id, Service& service) {
  switch (service.state) {
    case State::starting:
      tick_starting(id, service);
      return service.state != State::active;
    case State::ending:
      tick_ending(id, service);
      return true;
    case State::unpaid:
      if (Clock::now() - service.since > kFlushRetry) close(id);
      return true;
    case State::closing:
      return true;
    case State::scheduled:
    case State::active:
      return false;
  }
  return false;
}

void Services::tick_starting(uint64_t id, Service& service) {
  if (carrier_.find(id)->peer_receiver != 0) {
    service.state = State::active;
    chronicle_.service("service-started", id, service.request.client,
                       {{"scenario", control::to_json(service.scenario, service.currency)}});
    if (service.reply) {
      service.reply({201, to_json(id, service)});
      service.reply = nullptr;
    }
  } else if (service.reply && Clock::now() - service.since > kStartPatience) {
    give_up(id, service,
            refuse(504, "Peer does not answer",
                   config_.peer.name + " did not accept the service in time"));
  }
}

void Services::give_up(uint64_t id, Service& service, Answer answer) {
  if (const Reply reply = std::exchange(service.reply, nullptr)) {
    end(id, service, [reply, answer](const Answer&) { reply(answer); });
  }
}

const Services::Service* Services::find(uint64_t id, const Caller& caller) const {
  const auto found = services_.find(id);
  return found != services_.end() && caller.is(found->second.request.client) ? &found->second
                                                                             : nullptr;
}

void Services::end(uint64_t id, const Caller& caller, Reply reply) {
  if (find(id, caller) == nullptr) return reply(unknown(id));
  end(id, services_.at(id), std::move(reply));
}

// Nothing of it was carried.
void Services::end_scheduled(uint64_t id, Reply reply) {
  if (const auto closed = books_.close_service(id); !closed)
    return reply ? reply(refuse(500, "Not stored", closed.error())) : void();
  json body = to_json(id, services_.at(id));
  body["state"] = "ended";
  chronicle_.service("service-ended", id, services_.at(id).request.client, {{"octets", 0}});
  forget_key(id, services_.at(id).request);
  services_.erase(id);
  if (reply) reply({200, body});
}

void Services::end(uint64_t id, Service& service, Reply reply) {
  if (service.state == State::scheduled) return end_scheduled(id, std::move(reply));
  if (!is_carried(service)) {
    return reply(
        refuse(409, "Ending already", "service " + std::to_string(id) + " is being ended"));
  }
  service.state = State::ending;
  moving_.insert(id);
  service.reply = std::move(reply);
  service.since = Clock::now();
  service.octets = carrier_.octets(*carrier_.find(id));
  carrier_.close(*carrier_.find(id));
  peering_.end(id);
}

// Ends when nothing has come for a while; a peer that goes on sending is not waited for.
void Services::tick_ending(uint64_t id, Service& service) {
  const uint64_t octets = carrier_.octets(*carrier_.find(id));
  const auto now = Clock::now();
  if (octets != service.octets && now - service.since < kEndPatience) {
    service.octets = octets;
    service.since = now;
  }
  if (now - service.since < kQuiet) return;
  service.state = State::closing;
  carrier_.withdraw(*carrier_.find(id), [this, id] { close(id); });
}

void Services::close(uint64_t id) {
  services_.at(id).state = State::closing;
  flush_([this, id](const Books::Status& status) {
    Service& service = services_.at(id);
    if (!status) {
      // Tried again until it succeeds: an octet that was counted is on the bill.
      spdlog::error("service {}: last usage is not journaled yet: {}", id, status.error());
      service.since = Clock::now();
      service.state = State::unpaid;
      return;
    }
    if (const auto closed = books_.close_service(id); !closed) {
      spdlog::error("service {}: {}", id, closed.error());
    }
    peering_.gone(id);
    chronicle_.service("service-ended", id, service.request.client,
                       {{"octets", carrier_.octets(*carrier_.find(id))}});
    json body = to_json(id, service);
    body["state"] = "ended";
    const Reply reply = std::move(service.reply);
    carrier_.forget(id);
    spending_.forget(id);
    counted_.erase(id);
    forget_key(id, service.request);
    services_.erase(id);
    if (reply) reply({200, body});
  });
}

}  // namespace anabranch::control
