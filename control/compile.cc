// SPDX-License-Identifier: BSD-3-Clause
#include "control/compile.h"

#include <algorithm>
#include <utility>

#include "dataplane/pace.h"
#include "dataplane/wire.h"

namespace anabranch::control {
namespace {

uint32_t next_generation() {
  static uint32_t generation = 0;  // control thread only
  return ++generation;
}

// "icmp" is what its family calls so.
uint8_t protocol_of(const TrafficRule& r) {
  return r.protocol == dataplane::kIcmp && !r.source.is_ipv4() ? dataplane::kIcmp6 : r.protocol;
}

// A number of its own: only this many bits of it are kept with a flow.
uint32_t next_epoch() {
  static uint32_t epoch = 0;  // one ruleset is compiled at a time
  epoch = epoch % dataplane::kEpochsMax + 1;
  return epoch;
}

// `Number`: as long as an address of the family.
template <typename Key, typename Number>
dataplane::RuleOf<Key, Number> compile_rule(const TrafficRule& r, uint16_t slot) {
  dataplane::RuleOf<Key, Number> rule;
  rule.source_mask = dataplane::mask_of<Number>(r.source.length);
  rule.source = static_cast<Number>(r.source.address.value) & rule.source_mask;
  rule.destination_mask = dataplane::mask_of<Number>(r.destination.length);
  rule.destination = static_cast<Number>(r.destination.address.value) & rule.destination_mask;
  rule.source_port_from = r.source_port_from;
  rule.source_port_to = r.source_port_to;
  rule.destination_port_from = r.destination_port_from;
  rule.destination_port_to = r.destination_port_to;
  rule.protocol = protocol_of(r);
  rule.dscp = r.dscp ? static_cast<int8_t>(*r.dscp) : int8_t{-1};
  rule.slot = slot;
  return rule;
}

// How much a rule asks for: longer prefixes, narrower port ranges, more fields.
uint64_t speciality(const TrafficRule& r) {
  const auto width = [](uint16_t from, uint16_t to) { return 65535u - (to - from); };
  return (uint64_t{r.source.length} + r.destination.length) << 32 |
         uint64_t{r.protocol != 0} << 31 | uint64_t{r.dscp.has_value()} << 30 |
         (width(r.source_port_from, r.source_port_to) +
          uint64_t{width(r.destination_port_from, r.destination_port_to)});
}

Carriage carriage_of(const Scenario& scenario, uint16_t Scenario::Share::*weight,
                     uint64_t Treatment::*rate_max) {
  Carriage carriage{.dispersion = scenario.dispersion,
                    .resequence = scenario.resequence,
                    .weight = scenario.treatment.weight,
                    .rate_max = scenario.treatment.*rate_max,
                    .urgent = scenario.treatment.urgent,
                    .background = scenario.treatment.background};
  std::vector<std::string> providers;
  for (const auto& share : scenario.shares) {
    carriage.weights[share.path_index] = share.*weight;
    const auto known = std::find(providers.begin(), providers.end(), share.provider);
    carriage.provider[share.path_index] =
        static_cast<uint8_t>(std::distance(providers.begin(), known));
    if (known == providers.end()) providers.push_back(share.provider);
  }
  std::copy(scenario.order.begin(), scenario.order.end(), carriage.order.begin());
  return carriage;
}

dataplane::Dispersion dispersion_of(Dispersion dispersion) {
  switch (dispersion) {
    case Dispersion::earliest_delivery:
      return dataplane::Dispersion::earliest_delivery;
    case Dispersion::flowlet:
      return dataplane::Dispersion::flowlet;
    case Dispersion::redundant:
      return dataplane::Dispersion::redundant;
    case Dispersion::priority:
      return dataplane::Dispersion::priority;
    case Dispersion::standby:
      return dataplane::Dispersion::standby;
    case Dispersion::weighted:
    case Dispersion::flow:
      break;
  }
  return dataplane::Dispersion::weighted;
}

}  // namespace

Carriage carriage_up(const Scenario& scenario) {
  return carriage_of(scenario, &Scenario::Share::weight_up, &Treatment::rate_up_max);
}
Carriage carriage_down(const Scenario& scenario) {
  return carriage_of(scenario, &Scenario::Share::weight_down, &Treatment::rate_down_max);
}

std::unique_ptr<const dataplane::Plan> compile(const Carriage& carriage, uint32_t receiver_index,
                                               uint32_t peer_index, const PathSizes& sizes) {
  auto plan = std::make_unique<dataplane::Plan>();
  plan->generation = next_generation();
  plan->receiver_index = receiver_index;
  plan->peer_index = peer_index;
  plan->segmentation = segmentation_of(carriage.dispersion) == Segmentation::flow
                           ? dataplane::Segmentation::flow
                           : dataplane::Segmentation::packet;
  plan->dispersion = dispersion_of(carriage.dispersion);
  plan->order = carriage.order;
  plan->provider = carriage.provider;
  plan->resequence = carriage.resequence;
  plan->weight = carriage.weight;
  plan->pace = dataplane::pace_of(carriage.rate_max);
  plan->urgent = carriage.urgent;
  plan->background = carriage.background;
  // What is passed on as it comes would come twice; copies are there so that nothing waits for
  // repair.
  plan->recovery = carriage.resequence && carriage.dispersion != Dispersion::redundant;
  dataplane::compile_weights(carriage.weights, *plan);
  uint16_t widest = 0, narrowest = UINT16_MAX;
  for (size_t p = 1; p < sizes.size(); ++p) {
    if (carriage.weights[p] == 0) continue;
    widest = std::max(widest, sizes[p].room());
    narrowest = std::min(narrowest, sizes[p].room());
  }
  plan->inner_mtu = widest;
  plan->whole_mtu = std::min(narrowest, widest);
  return plan;
}

std::vector<TrafficRule> mirrored(const std::vector<TrafficRule>& rules) {
  std::vector<TrafficRule> result = rules;
  for (TrafficRule& r : result) {
    std::swap(r.source, r.destination);
    std::swap(r.source_port_from, r.destination_port_from);
    std::swap(r.source_port_to, r.destination_port_to);
  }
  return result;
}

std::unique_ptr<dataplane::Ruleset> compile(const std::vector<SlotRules>& services) {
  struct Ranked {
    uint64_t speciality;
    const TrafficRule* rule;
    uint16_t slot;
  };
  std::vector<Ranked> ranked;
  for (const SlotRules& service : services) {
    for (const TrafficRule& rule : service.rules)
      ranked.push_back({speciality(rule), &rule, service.slot});
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const Ranked& a, const Ranked& b) { return a.speciality > b.speciality; });
  auto ruleset = std::make_unique<dataplane::Ruleset>();
  ruleset->epoch = next_epoch();
  for (const auto& [rank, rule, slot] : ranked) {
    if (rule->source.is_ipv4()) {
      ruleset->rules.push_back(compile_rule<dataplane::FlowKey, uint32_t>(*rule, slot));
    } else {
      ruleset->rules6.push_back(compile_rule<dataplane::FlowKey6, dataplane::Uint128>(*rule, slot));
    }
  }
  return ruleset;
}

}  // namespace anabranch::control
