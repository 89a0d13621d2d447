// SPDX-License-Identifier: BSD-3-Clause
#include "control/services.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "billing/guide_price.h"
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

}  // namespace

Services::Services(const Config& config, DocumentStore& documents, Books& books, Carrier& carrier,
                   Peering& peering, PathMonitor& paths, const Topology& topology, Market& market,
                   Flush flush)
    : config_(config),
      documents_(documents),
      books_(books),
      carrier_(carrier),
      peering_(peering),
      paths_(paths),
      topology_(topology),
      market_(market),
      flush_(std::move(flush)),
      minutes_(config.name) {
  history_ = read_kept_as<RatingHistory>(ratings_file(config), "ratings");
  spending_ = read_kept_as<Spending>(spending_file(config), "sums spent of budgets");
  ratings_ = control::rate(paths_.states(topology_.path_sizes()));
}

std::vector<PathState> Services::priced_paths(const Terms& terms, int64_t at_ns) const {
  std::vector<PathState> states = paths_.states(topology_.path_sizes());
  std::erase_if(states, [&](PathState& state) {
    if (!make_usable(state, terms.profile, at_ns)) return true;
    const billing::Tariff* theirs = market_.tariff_at(state.provider, at_ns);
    if (theirs == nullptr) theirs = documents_.tariff_of_provider(state.provider);
    const auto price =
        billing::guide_price(terms.tariff, state.provider, state.network, state.name, theirs);
    if (price) state.price_attos_per_octet = static_cast<Uint128>(price->attos());
    return !price.has_value();  // a provider the client's tariff does not price cannot be used for
                                // it
  });
  if (adjust_) std::for_each(states.begin(), states.end(), adjust_);
  return states;
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
  const std::string& currency = terms->tariff.currency;
  const int64_t at_s = std::max(billing::wall_now_s(), request.start_s.value_or(0));
  const Choice choice = prefer(priced_paths(*terms, at_s * 1'000'000'000), terms->profile,
                               with_budget(request), currency, in_force, &ratings_);
  if (choice.preferred) return *choice.preferred;
  return tl::unexpected(
      refuse(409, "Request cannot be met", choice.refusal + budget_text(request, currency)));
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
  const auto scenario = choose(*request, nullptr);
  if (scenario) return open(*request, *scenario, std::move(reply));
  auto need = need_of(*request, now_s);
  if (!need) return reply(scenario.error());
  negotiate(*request, std::move(*need), scenario.error(), std::move(reply));
}

void Services::open(const ServiceRequest& request, const Scenario& scenario, Reply reply) {
  const int64_t now_s = billing::wall_now_s();
  const Client& client = *documents_.client(request.client);
  const billing::Tariff& tariff = *documents_.tariff(client.tariff);
  const auto id = books_.open_service(client.id, tariff, control::to_json(request).dump());
  if (!id) return reply(refuse(500, "Not stored", id.error()));
  Service service{.request = request, .asked_s = now_s};
  service.currency = tariff.currency;
  service.scenario = scenario;
  if (request.start_s.value_or(now_s) > now_s) {
    service.state = State::scheduled;
    return reply({201, to_json(*id, services_[*id] = std::move(service))});
  }
  if (const auto carried = carry(*id, service); !carried) {
    books_.close_service(*id);
    return reply(refuse(503, "No room", carried.error()));
  }
  service.reply = std::move(reply);
  put_in_force(*id, services_[*id] = std::move(service), scenario);
}

tl::expected<void, std::string> Services::carry(uint64_t id, Service& service) {
  const auto added = carrier_.add(id, service.request.client, service.request.traffic, {});
  if (!added) return tl::unexpected(added.error());
  service.state = State::starting;
  service.since = Clock::now();
  return {};
}

void Services::change(uint64_t id, const Caller& caller, const json& document, Reply reply) {
  if (find(id, caller) == nullptr) return reply(unknown(id));
  Service& service = services_.at(id);
  const auto request = admit(document, config_, documents_, billing::wall_now_s());
  if (!request) return reply(request.error());
  if (request->client != service.request.client) {
    return reply(refuse(422, "Another client's", "a service stays its client's",
                        {{"/client",
                          "expected "
                          " + service.request.client + "
                          ""}}));
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
  const auto scenario = choose(*request, &service.scenario);
  if (!scenario) return reply(scenario.error());
  if (const auto kept = books_.change_request(id, control::to_json(*request).dump()); !kept)
    return reply(refuse(500, "Not stored", kept.error()));
  service.request = *request;
  service.note.clear();
  spdlog::info("service {} of client {} was asked for anew", id, request->client);
  if (service.state == State::scheduled) {
    service.scenario = *scenario;
  } else {
    carrier_.set_rules(*carrier_.find(id), request->traffic);
    put_in_force(id, service, *scenario);
  }
  reply({200, to_json(id, service)});
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
    const int64_t asked_s = entry.opened_ns / 1'000'000'000;
    Service service{.request = *request, .asked_s = asked_s};
    service.currency = tariff->currency;
    if (request->start_s.value_or(0) > billing::wall_now_s()) {
      service.state = State::scheduled;
    } else if (const auto carried = carry(entry.id, service); !carried) {
      spdlog::error("service {}: {}", entry.id, carried.error());
      continue;
    }
    services_[entry.id] = std::move(service);
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

// Only of those that have a budget.
void Services::spend() {
  for (const auto& [id, service] : services_) {
    if (!service.request.budget || !is_carried(service)) continue;
    const auto terms = terms_of(service.request);
    if (!terms) continue;
    Spending::Prices prices;
    for (const PathState& path : priced_paths(*terms, billing::wall_now_ns())) {
      prices[path.index] =
          billing::Amount::from_attos(static_cast<billing::Int128>(path.price_attos_per_octet));
    }
    spending_.count(id, carrier_.first_octets(*carrier_.find(id)), prices);
  }
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
  decide();
}

void Services::decide() {
  Chosen chosen;
  for (auto& [id, service] : services_) recompute(id, service, chosen);
}

Services::Group Services::group_of(const Client& client, const ServiceRequest& request,
                                   const Scenario& in_force) {
  std::vector<uint8_t> paths;
  for (const auto& share : in_force.shares) paths.push_back(share.path_index);
  return {client.profile,
          client.tariff,
          request.rate_up_bps,
          request.rate_down_bps,
          request.latency_ms_max,
          request.loss_percent_max,
          with_budget(request).price_per_gb_max,
          in_force.dispersion,
          in_force.order,
          paths};
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
  if (!is_carried(service)) return;
  const auto* next = &choose(service.request, service.scenario, chosen);
  service.note.clear();
  if (!*next) {
    // Admitted already: carried as well as can be, and what cannot be kept is said.
    service.note = next->error().body.value("detail", "");
    negotiate_for(service);
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
  if (const uint16_t alive = paths_.alive(); alive != alive_) {
    alive_ = alive;
    decide();
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
  if (find(id, caller) == nullptr) return reply(unknown(id));
  end(id, services_.at(id), std::move(reply));
}

// Nothing of it was carried.
void Services::end_scheduled(uint64_t id, Reply reply) {
  if (const auto closed = books_.close_service(id); !closed)
    return reply ? reply(refuse(500, "Not stored", closed.error())) : void();
  json body = to_json(id, services_.at(id));
  body["state"] = "ended";
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
    spending_.forget(id);
    services_.erase(id);
    if (reply) reply({200, body});
  });
}

}  // namespace anabranch::control
