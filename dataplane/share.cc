// SPDX-License-Identifier: BSD-3-Clause
// Workers share busy paths by the weights of the services whose packets wait at them, looked at
// once a millisecond.
#include <bit>

#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

uint64_t waiting_slots(const Context& context, size_t word) {
  const uint64_t slots = context.queues.waiting_slots(word);
  // What is to be sent again waits, too.
  const bool repairs = !context.repairs.empty() && context.repairs.front().slot / 64u == word;
  return repairs ? slots | uint64_t{1} << context.repairs.front().slot % 64u : slots;
}

// At how many workers packets of the service wait; this one is among them.
uint32_t workers_that_wait(const Crew& crew, uint16_t slot) {
  uint32_t count = 0;
  for (uint8_t worker = 0; worker < crew.workers; ++worker)
    count += crew.demands[worker].slots[slot / 64u].get() >> slot % 64u & 1;
  return std::max(1u, count);
}

}  // namespace

void update_share(Context& context) {
  Crew& crew = *context.options.crew;
  Crew::Demand& own = crew.demands[context.options.id];
  uint64_t weight = 0;
  for (size_t word = 0; word < own.slots.size(); ++word) {
    uint64_t slots = waiting_slots(context, word);
    if (slots != own.slots[word].get()) own.slots[word].set(slots);
    for (; slots != 0; slots &= slots - 1) {
      const auto slot =
          static_cast<uint16_t>(word * 64 + static_cast<size_t>(std::countr_zero(slots)));
      const uint32_t workers = workers_that_wait(crew, slot);
      context.service(slot).pace.share_among(workers);
      const Plan* plan = context.plans->plan(slot);
      if (plan != nullptr) weight += plan->weight * Pace::kWhole / workers;
    }
  }
  own.weight.set(weight);
  uint64_t sum = 0;
  for (uint8_t worker = 0; worker < crew.workers; ++worker)
    sum += crew.demands[worker].weight.get();
  context.share = weight == 0 ? Pace::kWhole : std::max<uint64_t>(1, weight * Pace::kWhole / sum);
}

}  // namespace anabranch::dataplane
