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
  table->newcomers_.resize(table->places_);
  table->limit_ = flows_max - flows_max / 8;
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
  if (size_ + count > limit_) make_room(count);
  for (uint32_t i = 0; i < count; ++i) pointers[i] = keys[i];
  rte_hash_lookup_bulk(hash_.get(), pointers, count, positions);
  for (uint32_t i = 0; i < count; ++i) {
    if (positions[i] >= 0) __builtin_prefetch(&flows_[static_cast<uint32_t>(positions[i])], 1);
  }
  for (uint32_t i = 0; i < count; ++i) {
    Flow* flow =
        positions[i] >= 0 ? &flows_[static_cast<uint32_t>(positions[i])] : insert(*keys[i]);
    flows[i] = flow;
    if (flow == nullptr) continue;
    if (flow->again == 0 && flow->seen != 0) flow->again = 1;
    flow->seen = now;
    if (flow->epoch != rules.epoch) {
      flow->slot = rules.classify(flow->key);
      flow->epoch = rules.epoch;
    }
  }
}

Flow* FlowTable::insert(const FlowKey& key) {
  const hash_sig_t signature = rte_hash_hash(hash_.get(), &key);
  // Two packets of one burst may both be the flow's first; adding a key twice gives its position.
  const int32_t position = rte_hash_add_key_with_hash(hash_.get(), &key, signature);
  if (position < 0) return nullptr;
  Flow& flow = flows_[static_cast<uint32_t>(position)];
  if (flow.seen != 0) return &flow;
  ++size_;
  if (flow.newcomer == 0) list_newcomer(static_cast<uint32_t>(position));
  flow = Flow{.key = key, .newcomer = 1, .hash = static_cast<uint16_t>(signature >> 8)};
  return &flow;
}

void FlowTable::list_newcomer(uint32_t place) {
  const auto size = static_cast<uint32_t>(newcomers_.size());
  const uint32_t end = first_newcomer_ + newcomer_count_++;
  newcomers_[end < size ? end : end - size] = place;
}

// Before a burst is looked up, so that none of its flows makes room for another. What is looked at
// in vain was once listed for a packet, so this is paid for; but it is not paid all at once.
void FlowTable::make_room(uint32_t count) {
  uint32_t looks = 4 * kBurst;
  while (size_ + count > limit_) {
    Flow* flow = take_newcomer(looks);
    if (flow == nullptr && newcomer_count_ == 0) flow = find_stale();
    if (flow == nullptr) return;  // there is some room beyond the limit
    remove(*flow);
    ++displaced_;
  }
}

// The oldest flow of which only one packet came.
Flow* FlowTable::take_newcomer(uint32_t& looks) {
  constexpr uint32_t kAhead = 4;
  const auto size = static_cast<uint32_t>(newcomers_.size());
  for (; newcomer_count_ != 0 && looks != 0; --looks) {
    const uint32_t ahead = first_newcomer_ + kAhead;
    __builtin_prefetch(&flows_[newcomers_[ahead < size ? ahead : ahead - size]], 1);
    Flow& flow = flows_[newcomers_[first_newcomer_]];
    if (++first_newcomer_ == size) first_newcomer_ = 0;
    --newcomer_count_;
    flow.newcomer = 0;
    if (flow.seen != 0 && flow.again == 0) return &flow;
  }
  return nullptr;
}

// Of the next few places, the flow that was not seen for the longest.
Flow* FlowTable::find_stale() {
  constexpr int kLooks = 8;
  Flow* stale = nullptr;
  for (int i = 0; i < kLooks; ++i) {
    Flow& flow = flows_[hand_];
    if (++hand_ == places_) hand_ = 0;
    if (flow.seen != 0 && (stale == nullptr || flow.seen < stale->seen)) stale = &flow;
  }
  return stale;
}

void FlowTable::remove(Flow& flow) {
  rte_hash_del_key(hash_.get(), &flow.key);
  flow = Flow{.newcomer = flow.newcomer};
  --size_;
}

uint32_t FlowTable::age(uint64_t now, uint32_t entries) {
  uint32_t freed = 0;
  for (uint32_t i = 0; i < entries; ++i) {
    Flow& flow = flows_[cursor_];
    if (++cursor_ == places_) cursor_ = 0;
    if (flow.seen == 0 || now - flow.seen <= idle_ticks_) continue;
    remove(flow);
    ++freed;
  }
  return freed;
}

}  // namespace anabranch::dataplane
