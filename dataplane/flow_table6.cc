// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow_table6.h"

#include <rte_errno.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>

namespace anabranch::dataplane {

FlowKey6 FlowTable6::Entry::key() const {
  return {.source = source,
          .destination = destination,
          .source_port = flow.key.source_port,
          .destination_port = flow.key.destination_port,
          .protocol = flow.key.protocol,
          .dscp = flow.key.dscp};
}

tl::expected<std::unique_ptr<FlowTable6>, std::string> FlowTable6::create(const std::string& name,
                                                                          uint32_t flows_max,
                                                                          uint64_t idle_ticks) {
  rte_hash_parameters parameters{};
  parameters.name = name.c_str();
  parameters.entries = flows_max;
  parameters.key_len = sizeof(FlowKey6);
  parameters.hash_func = rte_hash_crc;
  parameters.socket_id = static_cast<int>(rte_socket_id());
  rte_hash* hash = rte_hash_create(&parameters);
  if (hash == nullptr) {
    return tl::unexpected(std::string("flow table of ") + std::to_string(flows_max) +
                          " IPv6 flows: " + rte_strerror(rte_errno) +
                          "; lower dataplane.flows_max or raise dataplane.memory_mb");
  }
  std::unique_ptr<FlowTable6> table(new FlowTable6);
  table->hash_.reset(hash);
  table->entries_.resize(static_cast<size_t>(rte_hash_max_key_id(hash)) + 1);
  table->idle_ticks_ = idle_ticks;
  return table;
}

void FlowTable6::find(std::span<const FlowKey6> keys, const Ruleset& rules, uint64_t now,
                      std::span<Flow*> flows) {
  const void* pointers[kBurst];
  int32_t positions[kBurst];
  const auto count = static_cast<uint32_t>(keys.size());
  for (uint32_t i = 0; i < count; ++i) pointers[i] = &keys[i];
  rte_hash_lookup_bulk(hash_.get(), pointers, count, positions);
  for (uint32_t i = 0; i < count; ++i) {
    if (positions[i] >= 0) __builtin_prefetch(&entries_[static_cast<uint32_t>(positions[i])], 1);
  }
  for (uint32_t i = 0; i < count; ++i) {
    Entry* entry =
        positions[i] >= 0 ? &entries_[static_cast<uint32_t>(positions[i])] : insert(keys[i], now);
    flows[i] = entry == nullptr ? nullptr : &entry->flow;
    if (entry == nullptr) continue;
    entry->flow.seen = now;
    if (entry->flow.epoch != rules.epoch) {
      entry->flow.slot = rules.classify(keys[i]);
      entry->flow.epoch = rules.epoch;
    }
  }
}

FlowTable6::Entry* FlowTable6::insert(const FlowKey6& key, uint64_t now) {
  const hash_sig_t signature = rte_hash_hash(hash_.get(), &key);
  // Two packets of one burst may both be the flow's first; adding a key twice gives its position.
  const int32_t position = rte_hash_add_key_with_hash(hash_.get(), &key, signature);
  if (position < 0) return nullptr;
  Entry& entry = entries_[static_cast<uint32_t>(position)];
  if (entry.flow.seen != 0) return &entry;
  ++size_;
  const FlowKey rest{.source_port = key.source_port,
                     .destination_port = key.destination_port,
                     .protocol = key.protocol,
                     .dscp = key.dscp};
  entry = {.source = key.source,
           .destination = key.destination,
           .flow = {.key = rest, .seen = now, .hash = static_cast<uint16_t>(signature >> 8)}};
  return &entry;
}

uint32_t FlowTable6::age(uint64_t now, uint32_t entries) {
  uint32_t freed = 0;
  for (uint32_t i = 0; i < entries; ++i) {
    Entry& entry = entries_[cursor_];
    if (++cursor_ == entries_.size()) cursor_ = 0;
    if (entry.flow.seen == 0 || now - entry.flow.seen <= idle_ticks_) continue;
    const FlowKey6 key = entry.key();
    rte_hash_del_key(hash_.get(), &key);
    entry = Entry{};
    --size_;
    ++freed;
  }
  return freed;
}

}  // namespace anabranch::dataplane
