// SPDX-License-Identifier: BSD-3-Clause
// How services, paths and ratings are shown.
#include <algorithm>

#include "billing/wall_clock.h"
#include "control/services.h"

namespace anabranch::control {

using nlohmann::json;

namespace {

// An expectation: four decimals tell any two apart.
std::string money_text(billing::Amount amount) {
  return billing::to_text(billing::round_to_minor(amount, 4));
}

}  // namespace

Answer Services::unknown(uint64_t id) {
  return refuse(404, "Unknown service", "there is no open service " + std::to_string(id));
}

json Services::to_json(uint64_t id, const Service& service) const {
  static constexpr const char* kStates[] = {"scheduled", "starting", "active",
                                            "ending",    "ending",   "ending"};
  const Carried* carried = carrier_.find(id);
  json result{{"id", id},
              {"client", service.request.client},
              {"state", kStates[static_cast<size_t>(service.state)]},
              {"request", control::to_json(service.request)},
              {"scenario", control::to_json(service.scenario, service.currency)},
              {"octets", carried == nullptr ? 0 : carrier_.octets(*carried)}};
  if (const auto until_s = end_of(service.request, service.asked_s))
    result["until"] = instant_text(*until_s);
  if (const auto price = expected_price(service.request, service.scenario))
    result["expected_price"] = {{"amount", money_text(*price)}, {"currency", service.currency}};
  if (service.request.budget)
    result["spent"] = {{"amount", money_text(spending_.spent(id))}, {"currency", service.currency}};
  if (!service.note.empty()) result["note"] = service.note;
  if (const auto* standing = standing_of(service)) {
    const auto then = billing::kWhenOverdueNames[static_cast<size_t>(standing->then)];
    if (standing->statement.empty())
      result["used_up"] = {{"then", then}};
    else
      result["overdue"] = {{"statement", standing->statement}, {"then", then}};
  }
  result["forecast_error"] = control::to_json(forecasts_.of(id));
  return result;
}

Answer Services::show(uint64_t id, const Caller& caller) const {
  const Service* service = find(id, caller);
  return service == nullptr ? unknown(id) : Answer{200, to_json(id, *service)};
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
  json body = history_.history(billing::wall_now_s());
  body["forecast_error"] = control::to_json(forecasts_.all());
  return {200, body};
}

tl::expected<Decision, Answer> Services::decision(uint64_t id, const Caller& caller) const {
  const Service* service = find(id, caller);
  if (service == nullptr) return tl::unexpected(unknown(id));
  const auto terms = terms_of(service->request);
  if (!terms || !service->view) return inputs(service->request, &service->scenario, id);
  const int64_t at_ns = billing::wall_now_ns();
  return inputs({priced_paths(*terms, at_ns), terms->tariff.currency}, *service->view,
                terms->profile, for_choice(service->request, *terms), &service->scenario);
}

Answer Services::paths() const {
  const std::vector<PathState> states = measured_paths();
  json result = json::array();
  for (const PathState& s : states) {
    result.push_back({{"id", s.index},
                      {"name", s.name},
                      {"provider", s.provider},
                      {"network", s.network},
                      {"alive", s.alive},
                      {"state", to_string(s.condition)},
                      {"held_back_s", s.held_back_s},
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
