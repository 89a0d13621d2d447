// SPDX-License-Identifier: BSD-3-Clause
#include "control/services.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "billing/guide_price.h"
#include "billing/wall_clock.h"
#include "control/rating_file.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

constexpr auto kStartPatience = std::chrono::seconds(4);
constexpr auto kQuiet =
    std::chrono::milliseconds(600);  // longer than any hole may wait, and a round trip
constexpr auto kFlushRetry = std::chrono::seconds(1);
constexpr int64_t kRatingsKeptEvery = 60;  // seconds
constexpr auto kEndPatience = std::chrono::seconds(10);

std::string ratings_file(const Config& config) {
  return config.state_dir + "/ratings.json";
}

// Rules without a destination mean everything behind the peer.
void expand_destinations(std::vector<TrafficRule>& rules, const std::vector<Prefix>& behind_peer) {
  std::vector<TrafficRule> expanded;
  for (const TrafficRule& rule : rules) {
    if (rule.destination.length != 0) {
      expanded.push_back(rule);
      continue;
    }
    for (const Prefix& prefix : behind_peer) {
      if (prefix.is_ipv4() != rule.source.is_ipv4()) continue;
      expanded.push_back(rule);
      expanded.back().destination = prefix;
    }
  }
  rules = std::move(expanded);
}

int64_t unix_now_s() {
  return billing::wall_now_ns() / 1'000'000'000;
}

Answer unknown_service(uint64_t id) {
  return refuse(404, "Unknown service", "there is no open service " + std::to_string(id));
}

}  // namespace

Services::Services(const Config& config, DocumentStore& documents, Books& books, Carrier& carrier,
                   Peering& peering, PathMonitor& paths, const Topology& topology, Flush flush)
    : config_(config),
      documents_(documents),
      books_(books),
      carrier_(carrier),
      peering_(peering),
      paths_(paths),
      topology_(topology),
      flush_(std::move(flush)),
      minutes_(config.name) {
  if (auto kept = read_ratings(ratings_file(config)))
    history_ = std::move(*kept);
  else
    spdlog::warn("ratings begin anew: {}", kept.error());
  ratings_ = control::rate(paths_.states(topology_.path_sizes()));
}

std::vector<PathState> Services::priced_paths(const billing::Tariff& tariff) const {
  std::vector<PathState> states = paths_.states(topology_.path_sizes());
  std::erase_if(states, [&](PathState& state) {
    const auto price = billing::guide_price(tariff, state.provider, state.network, state.name,
                                            documents_.tariff_of_provider(state.provider));
    if (price) state.price_attos_per_octet = static_cast<Uint128>(price->attos());
    return !price.has_value();  // a provider the client's tariff does not price cannot be used for
                                // it
  });
  if (adjust_) std::for_each(states.begin(), states.end(), adjust_);
  return states;
}

tl::expected<ServiceRequest, Answer> Services::check(const json& document) const {
  auto request = parse_request(document);
  if (!request) {
    return tl::unexpected(refuse(400, "Wrong request",
                                 std::to_string(request.error().size()) + " field(s) are wrong",
                                 request.error()));
  }
  const Client* client = documents_.client(request->client);
  if (client == nullptr) {
    return tl::unexpected(
        refuse(404, "Unknown client", "there is no client \"" + request->client + "\""));
  }
  FieldErrors errors;
  const auto lies_within = [](const Prefix& p, const std::vector<Prefix>& all) {
    return std::any_of(all.begin(), all.end(), [&](const Prefix& a) { return a.contains(p); });
  };
  for (size_t i = 0; i < request->traffic.size(); ++i) {
    const TrafficRule& rule = request->traffic[i];
    const std::string at = "/traffic/" + std::to_string(i);
    if (!lies_within(rule.source, client->prefixes)) {
      errors.push_back(
          {at + "/source", to_string(rule.source) + " is not within the client's prefixes"});
    }
    if (!lies_within(rule.source, config_.lan_prefixes)) {
      errors.push_back({at + "/source", to_string(rule.source) + " is not behind this gateway"});
    }
    const auto of_its_family = [&](const Prefix& p) {
      return p.is_ipv4() == rule.source.is_ipv4();
    };
    if (rule.destination.length == 0 &&
        std::none_of(config_.peer.prefixes.begin(), config_.peer.prefixes.end(), of_its_family)) {
      errors.push_back({at + "/source", "nothing of its family is behind " + config_.peer.name});
    }
    if (rule.destination.length != 0 && !lies_within(rule.destination, config_.peer.prefixes)) {
      errors.push_back({at + "/destination",
                        to_string(rule.destination) + " is not behind " + config_.peer.name});
    }
  }
  if (request->until_s && *request->until_s <= unix_now_s()) {
    return tl::unexpected(refuse(422, "Over already", "the service would end before it begins",
                                 {{"/until", instant_text(*request->until_s) + " is past"}}));
  }
  if (!errors.empty()) {
    return tl::unexpected(refuse(422, "Traffic cannot be carried",
                                 "some of the traffic is not the client's or leads elsewhere",
                                 errors));
  }
  expand_destinations(request->traffic, config_.peer.prefixes);
  return *request;
}

tl::expected<Services::Terms, Answer> Services::terms_of(const ServiceRequest& request) const {
  const Client& client = *documents_.client(request.client);
  const Profile* profile = documents_.profile(client.profile);
  const billing::Tariff* tariff = documents_.tariff(client.tariff);
  if (profile != nullptr && tariff != nullptr) return Terms{*profile, *tariff};
  return tl::unexpected(refuse(409, "Incomplete client",
                               "client \"" + client.id + "\" names profile \"" + client.profile +
                                   "\" and tariff \"" + client.tariff +
                                   "\"; one of them does not exist"));
}

tl::expected<Scenario, Answer> Services::choose(const ServiceRequest& request,
                                                const Scenario* in_force) const {
  const auto terms = terms_of(request);
  if (!terms) return tl::unexpected(terms.error());
  const Choice choice = prefer(priced_paths(terms->tariff), terms->profile, request,
                               terms->tariff.currency, in_force, &ratings_);
  if (choice.preferred) return *choice.preferred;
  return tl::unexpected(refuse(409, "Request cannot be met", choice.refusal));
}

void Services::request(const json& document, Reply reply) {
  const auto request = check(document);
  if (!request) return reply(request.error());
  if (const auto known = known_by_key(*request)) return reply(*known);
  if (!peering_.is_up()) {
    return reply(refuse(
        503, "Peer not connected",
        "the control session with " + config_.peer.name + " is down; try again when it is up"));
  }
  const auto scenario = choose(*request, nullptr);
  if (!scenario) return reply(scenario.error());
  const Client& client = *documents_.client(request->client);
  const auto id = books_.open_service(client.id, *documents_.tariff(client.tariff),
                                      control::to_json(*request).dump());
  if (!id) return reply(refuse(500, "Not stored", id.error()));
  const auto added = carrier_.add(*id, client.id, request->traffic, {});
  if (!added) {
    books_.close_service(*id);
    return reply(refuse(503, "No room", added.error()));
  }
  Service& service = services_[*id];
  service.request = *request;
  service.currency = documents_.tariff(client.tariff)->currency;
  service.reply = std::move(reply);
  service.since = Clock::now();
  put_in_force(*id, service, *scenario);
}

std::optional<Answer> Services::known_by_key(const ServiceRequest& request) const {
  if (request.key.empty()) return std::nullopt;
  for (const auto& [id, service] : services_) {
    if (service.request.client != request.client || service.request.key != request.key) continue;
    if (control::to_json(service.request) == control::to_json(request))
      return Answer{200, to_json(id, service)};
    return refuse(409, "Key is in use",
                  "service " + std::to_string(id) + " was asked for with the key \"" + request.key +
                      "\" and is another; use a key of its own, or end it",
                  {{"/key", "expected one that is new"}});
  }
  return std::nullopt;
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
    const auto added = carrier_.add(entry.id, entry.client, request->traffic, {});
    if (!added) {
      spdlog::error("service {}: {}", entry.id, added.error());
      continue;
    }
    services_[entry.id] = {
        .request = *request, .currency = tariff->currency, .since = Clock::now()};
    spdlog::info("service {} of client {} goes on", entry.id, entry.client);
  }
  return {};
}

void Services::put_in_force(uint64_t id, Service& service, const Scenario& scenario) {
  service.scenario = scenario;
  service.down = carriage_down(scenario);
  Carried& carried = *carrier_.find(id);
  carrier_.set_carriage(carried, carriage_up(scenario));
  peering_.announce(carried, service.down);
}

void Services::end_what_is_over() {
  const int64_t now_s = unix_now_s();
  for (auto& [id, service] : services_) {
    if (service.state != State::active || !service.request.until_s) continue;
    if (*service.request.until_s > now_s) continue;
    spdlog::info("service {} ends: it was asked for until {}", id,
                 instant_text(*service.request.until_s));
    end(id, service, nullptr);
  }
}

void Services::rate() {
  const int64_t now_s = unix_now_s();
  history_.add(now_s, paths_.states(topology_.path_sizes()));
  ratings_ = history_.ratings();
  rated_at_ = Clock::now();
  if (now_s - kept_at_s_ < kRatingsKeptEvery) return;
  kept_at_s_ = now_s;
  books_.post([file = ratings_file(config_), kept = history_.to_json()] {
    if (const auto written = write_ratings(file, kept); !written)
      spdlog::warn("ratings are not kept: {}", written.error());
  });
}

void Services::recompute() {
  end_what_is_over();
  Chosen chosen;
  for (auto& [id, service] : services_) recompute(id, service, chosen);
}

Services::Group Services::group_of(const Client& client, const ServiceRequest& request,
                                   const Scenario& in_force) {
  std::vector<uint8_t> paths;
  for (const auto& share : in_force.shares) paths.push_back(share.path_index);
  return {client.profile,           client.tariff,
          request.rate_up_bps,      request.rate_down_bps,
          request.latency_ms_max,   request.loss_percent_max,
          request.price_per_gb_max, in_force.dispersion,
          in_force.order,           paths};
}

// Once for services that are equal in all that it is chosen by: there are thousands of them, of few
// kinds.
const tl::expected<Scenario, Answer>& Services::choose(const ServiceRequest& request,
                                                       const Scenario& in_force,
                                                       Chosen& chosen) const {
  const Group group = group_of(*documents_.client(request.client), request, in_force);
  const auto known = chosen.find(group);
  return known != chosen.end() ? known->second
                               : chosen.emplace(group, choose(request, &in_force)).first->second;
}

void Services::recompute(uint64_t id, Service& service, Chosen& chosen) {
  if (service.state > State::active) return;
  const auto* next = &choose(service.request, service.scenario, chosen);
  service.note.clear();
  if (!*next) {
    // Admitted already: carried as well as can be, and what cannot be kept is said.
    service.note = next->error().body.value("detail", "");
    next = &choose({.client = service.request.client}, service.scenario, chosen);
  }
  if (!*next) return;  // no path at all: the plan stays until one is back
  const Scenario& scenario = **next;
  if (!worth_replacing(service.scenario, scenario)) {
    service.scenario.expected = scenario.expected;
    service.scenario.reasons = scenario.reasons;
    return;
  }
  put_in_force(id, service, scenario);
  spdlog::info("service {}: another scenario: {}", id,
               scenario.reasons.empty() ? "" : scenario.reasons.front());
}

// What the paths in use are measured to be is what the service is: the latency of all of them
// together, and of their loss what a repair is lost of as well.
void Services::look() {
  const int64_t wall_ns = billing::wall_now_ns();
  for (const auto& [id, service] : services_) {
    if (service.state != State::active) continue;
    const Client* client = documents_.client(service.request.client);
    const auto* agreement = client == nullptr ? nullptr : documents_.agreement(client->sla);
    if (agreement == nullptr || agreement->promises.empty()) continue;
    const bool has_path = std::any_of(
        service.scenario.shares.begin(), service.scenario.shares.end(),
        [&](const auto& share) { return (paths_.alive() >> share.path_index & 1) != 0; });
    const Prediction& now = service.scenario.expected;
    const double loss = now.loss_percent / 100;
    minutes_.add(id,
                 {.available = has_path && peering_.is_up(),
                  .latency_ms = now.latency_ms,
                  .loss = service.scenario.resequence ? loss * loss : loss},
                 wall_ns);
  }
  if (auto over = minutes_.take(wall_ns); !over.empty()) books_.put_measurements(std::move(over));
}

void Services::announce_all() {
  for (auto& [id, service] : services_) {
    if (service.state <= State::active) peering_.announce(*carrier_.find(id), service.down);
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
  if (const uint16_t alive = paths_.alive(); alive != alive_) {
    alive_ = alive;
    recompute();
  }
  std::vector<uint64_t> ids;  // services may go while they are looked at
  for (const auto& [id, service] : services_) ids.push_back(id);
  for (const uint64_t id : ids) {
    Service& service = services_.at(id);
    if (service.state == State::starting)
      tick_starting(id, service);
    else if (service.state == State::ending)
      tick_ending(id, service);
    else if (service.state == State::unpaid && Clock::now() - service.since > kFlushRetry)
      close(id);
  }
}

void Services::tick_starting(uint64_t id, Service& service) {
  if (carrier_.find(id)->peer_receiver != 0) {
    service.state = State::active;
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
  if (find(id, caller) == nullptr) return reply(unknown_service(id));
  end(id, services_.at(id), std::move(reply));
}

void Services::end(uint64_t id, Service& service, Reply reply) {
  if (service.state > State::active) {
    return reply(
        refuse(409, "Ending already", "service " + std::to_string(id) + " is being ended"));
  }
  service.state = State::ending;
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
    json body = to_json(id, service);
    body["state"] = "ended";
    const Reply reply = std::move(service.reply);
    carrier_.forget(id);
    services_.erase(id);
    if (reply) reply({200, body});
  });
}

json Services::to_json(uint64_t id, const Service& service) const {
  static constexpr const char* kStates[] = {"starting", "active", "ending", "ending", "ending"};
  json result{{"id", id},
              {"client", service.request.client},
              {"state", kStates[static_cast<size_t>(service.state)]},
              {"request", control::to_json(service.request)},
              {"scenario", control::to_json(service.scenario, service.currency)},
              {"octets", carrier_.octets(*carrier_.find(id))}};
  if (!service.note.empty()) result["note"] = service.note;
  return result;
}

Answer Services::show(uint64_t id, const Caller& caller) const {
  const Service* service = find(id, caller);
  return service == nullptr ? unknown_service(id) : Answer{200, to_json(id, *service)};
}

Answer Services::list(const Caller& caller) const {
  json result = json::array();
  for (const auto& [id, service] : services_) {
    if (caller.is(service.request.client)) result.push_back(to_json(id, service));
  }
  for (const auto& [id, carried] : carrier_.all()) {
    // Whoever is a client there is nobody's client here.
    if (!carried.visiting() || caller.role == Role::client) continue;
    result.push_back({{"id", id & ~Carried::kVisitor},
                      {"client", carried.client},
                      {"state", "visiting"},
                      {"home", config_.peer.name},
                      {"octets", carrier_.octets(carried)}});
  }
  return {200, result};
}

Answer Services::ratings() const {
  return {200, history_.history(unix_now_s())};
}

tl::expected<Decision, Answer> Services::decision(uint64_t id, const Caller& caller) const {
  const Service* service = find(id, caller);
  if (service == nullptr) return tl::unexpected(unknown_service(id));
  const auto terms = terms_of(service->request);
  if (!terms) return tl::unexpected(terms.error());
  const int64_t age_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - rated_at_).count();
  Decision d;
  d.paths = priced_paths(terms->tariff);
  d.profile = terms->profile;
  d.request = service->request;
  d.currency = terms->tariff.currency;
  d.in_force = service->scenario;
  d.ratings = ratings_;
  d.ages_ms = {{"measurements", age_ms}, {"ratings", age_ms}};
  return d;
}

Answer Services::paths() const {
  const std::vector<PathState> states = paths_.states(topology_.path_sizes());
  json result = json::array();
  for (const PathState& s : states) {
    result.push_back({{"id", s.index},
                      {"name", s.name},
                      {"provider", s.provider},
                      {"network", s.network},
                      {"alive", s.alive},
                      {"state", to_string(s.condition)},
                      {"rtt_ms", s.rtt_ms},
                      {"rtt_min_ms", s.rtt_min_ms},
                      {"rtt_variation_ms", s.rtt_variation_ms},
                      {"pto_ms", s.pto_ms},
                      {"mtu", s.mtu},
                      {"loss_up_percent", s.loss_up * 100},
                      {"loss_down_percent", s.loss_down * 100},
                      {"availability_percent", s.availability * 100},
                      {"rating", rating_of(ratings_.links, s.name)},
                      {"rate_up_bps", s.rate_up_bps},
                      {"rate_down_bps", s.rate_down_bps},
                      {"delivered_bps", s.delivered_bps},
                      {"queue_up_ms", s.queue_up_ms},
                      {"queue_down_ms", s.queue_down_ms},
                      {"in_use", (carrier_.paths_in_use() >> s.index & 1) != 0}});
  }
  return {200, result};
}

}  // namespace anabranch::control
