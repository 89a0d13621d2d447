// SPDX-License-Identifier: BSD-3-Clause
// How services' scenarios are decided, put in force when they are worth it, and looked at later.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <string_view>
#include <unordered_map>

#include "billing/guide_price.h"
#include "billing/wall_clock.h"
#include "control/candidates.h"
#include "control/nearest.h"
#include "control/reasons.h"
#include "control/services.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

// `budget`: what a budget adds to the words of a refusal.
Ruling ruling_of(Decision decision, Choice choice, const std::string& budget = {}) {
  Ruling ruling;
  if (choice.preferred)
    ruling.outcome = *choice.preferred;
  else
    ruling.outcome = tl::unexpected(refuse(409, "Request cannot be met", choice.refusal + budget));
  decision.weighing.choice = std::move(choice);
  ruling.decision = std::move(decision);
  return ruling;
}

// "services 1, 2, 3 and 397 more: another scenario: ..."
void log_changed(const Ruling& changed) {
  constexpr size_t kNamed = 3;
  const auto& services = changed.services;
  std::string names = std::to_string(services[0].first);
  for (size_t i = 1; i < std::min(services.size(), kNamed); ++i)
    names += ", " + std::to_string(services[i].first);
  if (services.size() > kNamed)
    names += " and " + std::to_string(services.size() - kNamed) + " more";
  const auto& reasons = changed.outcome->reasons;
  spdlog::info("service{} {}: another scenario: {}", services.size() > 1 ? "s" : "", names,
               reasons.empty() ? "" : reasons.front());
}

std::string per_gb_text(const PathState& path) {
  return price_text(path.price_attos_per_octet * billing::kOctetsPerGb);
}

// As much as the other has set aside, of the same paths; or nothing.
void set_aside(Scenario& scenario, const Scenario& as) {
  for (size_t i = 0; i < scenario.shares.size(); ++i) {
    const Scenario::Share of = i < as.shares.size() ? as.shares[i] : Scenario::Share{};
    scenario.shares[i].reserved_up_bps = of.reserved_up_bps;
    scenario.shares[i].reserved_down_bps = of.reserved_down_bps;
  }
}

}  // namespace

std::vector<PathState> Services::measured_paths() const {
  std::vector<PathState> states = paths_.states(topology_.path_sizes());
  for (PathState& state : states) state.records = history_.records(state.name);
  return states;
}

std::vector<PathState> Services::charged_paths(const Terms& terms, int64_t at_ns) const {
  std::vector<PathState> states = measured_paths();
  std::erase_if(states, [&](PathState& state) {
    if (!make_usable(state, terms.profile, at_ns)) return true;
    const billing::Tariff* theirs = market_.tariff_at(state.provider, at_ns);
    if (theirs == nullptr) theirs = documents_.tariff_of_provider(state.provider);
    // How far it will be into its tariff in another period is not known.
    const bool is_under_way = terms.use != nullptr && at_ns < terms.use->cycle.to_ns;
    const auto price_by = [&](const billing::TariffUse* use) {
      return billing::guide_price(terms.tariff, state.provider, state.network, state.name, theirs,
                                  use);
    };
    const auto price = price_by(is_under_way ? terms.use : nullptr);
    if (price) state.price_attos_per_octet = static_cast<Uint128>(price->attos());
    if (price && is_under_way && price != price_by(nullptr))
      state.quota += (state.quota.empty() ? "at " : "; at ") + per_gb_text(state) + " " +
                     terms.tariff.currency +
                     "/GB, by what is used of the tariff's tiers, allowances and commitments";
    return !price.has_value();  // a provider the client's tariff does not price cannot be used for
                                // it
  });
  return states;
}

std::vector<PathState> Services::priced_paths(const Terms& terms, int64_t at_ns) const {
  std::vector<PathState> states = charged_paths(terms, at_ns);
  if (adjust_) std::for_each(states.begin(), states.end(), adjust_);
  return states;
}

const PricedPaths& Services::priced_now(const Terms& terms, Priced& priced) const {
  const auto [paths, is_new] = priced.try_emplace({terms.profile.id, terms.tariff.id, terms.use});
  if (is_new) paths->second = {priced_paths(terms, billing::wall_now_ns()), terms.tariff.currency};
  return paths->second;
}

Decision Services::inputs(const PricedPaths& priced, const View& view, const Profile& profile,
                          const ServiceRequest& request, const Scenario* in_force) const {
  const int64_t age_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - rated_at_).count();
  Decision d;
  d.paths = beside(priced.paths, view.held, view.equals);
  d.profile = profile;
  d.request = request;
  d.currency = priced.currency;
  if (in_force != nullptr) d.in_force = *in_force;
  d.ratings = ratings_;
  d.ages_ms = {{"measurements", age_ms}, {"ratings", age_ms}};
  return d;
}

// A scheduled service has its scenario set aside for when it begins.
View Services::view_of(const ServiceRequest& request, const Profile& profile,
                       std::optional<uint64_t> id) const {
  const int64_t now_s = billing::wall_now_s();
  const int64_t from_s = std::max(now_s, request.start_s.value_or(now_s));
  const int64_t until_s = end_of(request, now_s).value_or(INT64_MAX);
  const bool asks = asks_for_rate(request);
  std::unordered_map<std::string_view, bool> comes_later;  // by client
  const auto is_later = [&](const ServiceRequest& other) {
    const auto [known, is_new] = comes_later.try_emplace(other.client);
    if (!is_new) return known->second;
    const auto terms = terms_of(other);
    return known->second = asks && terms && terms->profile.priority < profile.priority;
  };
  View view;
  for (const auto& [other_id, other] : services_) {
    if (other_id == id || !asks_for_rate(other.request)) continue;
    if (!is_carried(other) && other.state != State::scheduled) continue;
    if (other.request.start_s.value_or(0) >= until_s ||
        end_of(other.request, other.asked_s).value_or(INT64_MAX) <= from_s)
      continue;
    if (!is_later(other.request)) add_reserved(view.held, other.scenario);
  }
  return view;
}

tl::expected<Decision, Answer> Services::inputs(const ServiceRequest& request,
                                                const Scenario* in_force,
                                                std::optional<uint64_t> id) const {
  const auto terms = terms_of(request);
  if (!terms) return tl::unexpected(terms.error());
  const int64_t at_s = std::max(billing::wall_now_s(), request.start_s.value_or(0));
  return inputs({priced_paths(*terms, at_s * 1'000'000'000), terms->tariff.currency},
                view_of(request, terms->profile, id), terms->profile, for_choice(request, *terms),
                in_force);
}

Ruling Services::choose(const ServiceRequest& request, const Scenario* in_force,
                        std::optional<uint64_t> id) const {
  auto d = inputs(request, in_force, id);
  if (!d) return {std::nullopt, tl::unexpected(d.error()), {}};
  Choice choice = prefer(d->paths, d->profile, d->request, d->currency, in_force, &d->ratings);
  const std::string budget = budget_text(request, d->currency);
  Ruling ruling = ruling_of(std::move(*d), std::move(choice), budget);
  if (!ruling.outcome) {
    const json near = nearest_json(request, *ruling.decision);
    if (!near.is_null()) ruling.outcome.error().body["nearest"] = near;
  }
  return ruling;
}

void Services::decide() {
  Priced priced;
  std::map<std::string, tl::expected<Terms, Answer>> known_terms;  // by client
  std::deque<ServiceRequest> limited;
  std::vector<Asking> asking;
  std::vector<uint64_t> ids;
  for (auto& [id, service] : services_) {
    if (!is_carried(service)) continue;
    auto terms = known_terms.find(service.request.client);
    if (terms == known_terms.end())
      terms = known_terms.emplace(service.request.client, terms_of(service.request.client)).first;
    if (!terms->second) {
      service.note = terms->second.error().body.value("detail", "");
      continue;  // its plan stays
    }
    const ServiceRequest* request = &service.request;
    const Profile& profile = terms->second->profile.for_traffic(request->traffic);
    const auto& objectives = terms->second->objectives;
    if (request->budget || profile.latency_ms_max || profile.loss_percent_max ||
        !objectives.empty())
      request = &limited.emplace_back(control::for_choice(*request, profile, objectives));
    asking.push_back({&priced_now(*terms->second, priced), &profile, request, &service.scenario});
    ids.push_back(id);
  }
  const Round round = rounds_.next(asking, ratings_);
  Rulings rulings;
  for (size_t i = 0; i < ids.size(); ++i)
    adopt(ids[i], asking[i], round.of(i), rulings[round.kind_of[i]]);
  for (auto& [kind, told] : rulings) {
    if (!told.changed.services.empty()) log_changed(told.changed);
    for (Ruling* ruling : {&told.refused, &told.changed}) {
      if (!ruling->services.empty()) chronicle_.changed(std::move(*ruling));
    }
  }
}

// What is told of services that are equal is told once.
void Services::adopt(uint64_t id, const Asking& asking, const Decided& decided, Told& told) {
  Service& service = services_.at(id);
  const std::string before = std::exchange(service.note, decided.refusal);
  service.view = decided.view;
  const auto tell = [&](Ruling& ruling, const ServiceRequest& request, Choice choice) {
    if (ruling.services.empty())
      ruling = ruling_of(inputs(*asking.market, decided.view, *asking.profile, request,
                                decided.in_force ? &*decided.in_force : nullptr),
                         std::move(choice));
    ruling.services.emplace_back(id, service.request.client);
  };
  if (!decided.refusal.empty()) {
    service.note += budget_text(service.request, service.currency);
    if (before.empty()) {
      service.short_since = Clock::now();
      tell(told.refused, *asking.request, {std::nullopt, decided.refusal});
    }
    negotiate_for(id, service);
  } else if (!before.empty()) {
    chronicle_.service("service-restored", id, service.request.client);
  }
  if (!decided.scenario) return;  // no path at all: the plan stays until one is back
  const Scenario& scenario = *decided.scenario;
  if (!worth_replacing(service.scenario, scenario)) {
    service.scenario.expected = scenario.expected;
    service.scenario.reasons = scenario.reasons;
    set_aside(service.scenario, scenario);
    return;
  }
  if (decided.refusal.empty()) {
    tell(told.changed, *asking.request, {scenario, {}});
  } else {
    // Chosen as if it asked for nothing; what it asks for is set aside all the same.
    Scenario as_chosen = scenario;
    set_aside(as_chosen, {});
    tell(told.changed, {.client = service.request.client}, {std::move(as_chosen), {}});
  }
  put_in_force(id, service, scenario);
}

// What the paths in use are measured to be is what the service is: the latency of all of them
// together, and of their loss what a repair is lost of as well.
void Services::look() {
  const int64_t wall_ns = billing::wall_now_ns();
  look_at_forecasts(wall_ns / 1'000'000'000);
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
                  .loss = after_repair(loss, service.scenario.resequence)},
                 wall_ns);
  }
  if (auto over = minutes_.take(wall_ns); !over.empty()) books_.put_measurements(std::move(over));
}

// What links deliver says what a scenario gives only while all of them are full, and to a service
// that has them for itself.
void Services::look_at_forecasts(int64_t now_s) {
  constexpr double kFullMs = 5, kTcpIpHeaders = 40;  // of queue; octets
  const std::vector<PathState> states = measured_paths();
  const auto is_active = [](const auto& entry) { return entry.second.state == State::active; };
  const bool alone = std::count_if(services_.begin(), services_.end(), is_active) == 1;
  for (const auto& [id, service] : services_) {
    if (service.state != State::active) continue;
    double delivered_bps = 0;
    bool full = alone && service.scenario.treatment.rate_up_max == 0;
    for (const auto& share : service.scenario.shares) {
      const auto state = std::find_if(states.begin(), states.end(), [&](const PathState& p) {
        return p.index == share.path_index;
      });
      if (state == states.end() || state->queue_up_ms < kFullMs) full = false;
      if (state == states.end()) continue;
      const double payload = static_cast<double>(state->mtu) - state->overhead - kTcpIpHeaders;
      delivered_bps += static_cast<double>(state->delivered_bps) * payload / state->mtu;
    }
    forecasts_.add(id, now_s, service.scenario,
                   full ? std::optional<double>(delivered_bps) : std::nullopt);
  }
  forecasts_.forget_others(now_s);
}

}  // namespace anabranch::control
