// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow_table.h"

#include <rte_errno.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "dataplane/bounds.h"

namespace anabranch::dataplane {
namespace {

std::string too_large(uint32_t flows_max, const char* why) {
  return "flow table of " + std::to_string(flows_max) + " flows: " + why +
         "; lower dataplane.flows_max or raise dataplane.memory_mb";
}

}  // namespace

void FlowTable::FlowsDelete::operator()(Flow* flows) const {
  rte_free(flows);
}

tl::expected<std::unique_ptr<FlowTable>, std::string> FlowTable::create(const std::string& name,
                                                                        uint32_t flows_max,
                                                                        uint64_t idle_ticks) {
  rte_hash_parameters parameters{};
  parameters.name = name.c_str();
  parameters.entries = flows_max;
  parameters.key_len = sizeof(FlowKey);
  parameters.hash_func = rte_hash_crc;
  parameters.socket_id = static_cast<int>(rte_socket_id());
  rte_hash* hash = rte_hash_create(&parameters);
  if (hash == nullptr) return tl::unexpected(too_large(flows_max, rte_strerror(rte_errno)));
  std::unique_ptr<FlowTable> table(new FlowTable);
  table->hash_.reset(hash);
  table->places_ = static_cast<uint32_t>(rte_hash_max_key_id(hash)) + 1;
  // EAL's memory, on large pages where there are some: with many flows each packet's is another
  // page's.
  table->flows_.reset(
      static_cast<Flow*>(rte_zmalloc(name.c_str(), table->places_ * sizeof(Flow), alignof(Flow))));
  if (table->flows_ == nullptr) return tl::unexpected(too_large(flows_max, "not enough memory"));
  table->idle_ticks_ = idle_ticks;
  return table;
}

FlowTable::~FlowTable() = default;

void FlowTable::find(std::span<const FlowKey* const> keys, const Ruleset& rules, uint64_t now,
                     std::span<Flow*> flows) {
  const void* pointers[kBurst];
  int32_t positions[kBurst];
  const auto count = static_cast<uint32_t>(keys.size());
  if (count == 0) return;
  for (uint32_t i = 0; i < count; ++i) pointers[i] = keys[i];
  rte_hash_lookup_bulk(hash_.get(), pointers, count, positions);
  for (uint32_t i = 0; i < count; ++i) {
    if (positions[i] >= 0) __builtin_prefetch(&flows_[static_cast<uint32_t>(positions[i])], 1);
  }
  for (uint32_t i = 0; i < count; ++i) {
    Flow* flow =
        positions[i] >= 0 ? &flows_[static_cast<uint32_t>(positions[i])] : insert(*keys[i], now);
    flows[i] = flow;
    if (flow == nullptr) continue;
    flow->seen = now;
    if (flow->epoch != rules.epoch) {
      flow->slot = rules.classify(flow->key);
      flow->epoch = rules.epoch;
    }
  }
}

Flow* FlowTable::insert(const FlowKey& key, uint64_t now) {
  const hash_sig_t signature = rte_hash_hash(hash_.get(), &key);
  // Two packets of one burst may both be the flow's first; adding a key twice gives its position.
  const int32_t position = rte_hash_add_key_with_hash(hash_.get(), &key, signature);
  if (position < 0) return nullptr;
  Flow& flow = flows_[static_cast<uint32_t>(position)];
  if (flow.seen != 0) return &flow;
  ++size_;
  flow = Flow{.key = key, .seen = now, .hash = static_cast<uint16_t>(signature >> 8)};
  return &flow;
}

uint32_t FlowTable::age(uint64_t now, uint32_t entries) {
  uint32_t freed = 0;
  for (uint32_t i = 0; i < entries; ++i) {
    Flow& flow = flows_[cursor_];
    if (++cursor_ == places_) cursor_ = 0;
    if (flow.seen == 0 || now - flow.seen <= idle_ticks_) continue;
    rte_hash_del_key(hash_.get(), &flow.key);
    flow = Flow{};
    --size_;
    ++freed;
  }
  return freed;
}

}  // namespace anabranch::dataplane
