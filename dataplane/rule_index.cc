// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/rule_index.h"

#include <rte_acl.h>

#include <array>
#include <atomic>
#include <string>
#include <vector>

namespace anabranch::dataplane {
namespace {

constexpr size_t kMemoryMax = 64u << 20;
constexpr size_t kTail = 8;  // octets behind the addresses: ports, protocol, DSCP, two zeros

// A family by the 32-bit words of its addresses. rte_acl wants keys in network order, one octet
// first and then words of four, each field's octets within one word.
template <unsigned Words>
struct Layout {
  static constexpr unsigned kAddress = 4 * Words, kPorts = 2 * kAddress, kProtocol = kPorts + 4;
  static constexpr unsigned kFields = 1 + 2 * Words + 3;
  static constexpr size_t kKey = kPorts + kTail;
  struct AclRule {
    rte_acl_rule_data data;
    rte_acl_field field[kFields];
  };
  static_assert(sizeof(AclRule) == RTE_ACL_RULE_SZ(kFields));

  static rte_acl_config config() {
    rte_acl_config config{};
    config.num_categories = 1;
    config.num_fields = kFields;
    config.max_size = kMemoryMax;
    unsigned next = 0;
    const auto define = [&](uint8_t type, uint8_t size, unsigned word, unsigned offset) {
      config.defs[next] = {type, size, static_cast<uint8_t>(next), static_cast<uint8_t>(word),
                           offset};
      ++next;
    };
    define(RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, kProtocol);
    for (unsigned word = 0; word < 2 * Words; ++word)
      define(RTE_ACL_FIELD_TYPE_BITMASK, 4, 1 + word, 4 * word);
    define(RTE_ACL_FIELD_TYPE_RANGE, 2, 1 + 2 * Words, kPorts);
    define(RTE_ACL_FIELD_TYPE_RANGE, 2, 1 + 2 * Words, kPorts + 2);
    define(RTE_ACL_FIELD_TYPE_BITMASK, 4, 2 + 2 * Words, kProtocol);  // the DSCP in it
    return config;
  }

  template <typename Number>
  static uint32_t word_of(Number number, unsigned word) {
    return static_cast<uint32_t>(number >> 32 * (Words - 1 - word));
  }

  template <typename Rule>
  static AclRule rule_of(const Rule& r, size_t place) {
    AclRule rule{};
    rule.data.category_mask = 1;
    rule.data.priority = static_cast<int32_t>(RTE_ACL_MAX_PRIORITY - static_cast<int32_t>(place));
    rule.data.userdata = r.slot + 1u;  // 0 is none
    rte_acl_field* field = rule.field;
    field->value.u8 = r.protocol;
    field->mask_range.u8 = r.protocol == 0 ? 0 : 0xff;
    for (unsigned word = 0; word < Words; ++word) {
      ++field;
      field->value.u32 = word_of(r.source, word);
      field->mask_range.u32 = word_of(r.source_mask, word);
    }
    for (unsigned word = 0; word < Words; ++word) {
      ++field;
      field->value.u32 = word_of(r.destination, word);
      field->mask_range.u32 = word_of(r.destination_mask, word);
    }
    ++field;
    field->value.u16 = r.source_port_from;
    field->mask_range.u16 = r.source_port_to;
    ++field;
    field->value.u16 = r.destination_port_from;
    field->mask_range.u16 = r.destination_port_to;
    ++field;
    field->value.u32 = r.dscp < 0 ? 0 : static_cast<uint32_t>(r.dscp) << 16;
    field->mask_range.u32 = r.dscp < 0 ? 0 : 0xffu << 16;
    return rule;
  }
};
using Layout4 = Layout<1>;
using Layout6 = Layout<4>;

template <typename Key>
void store_tail(uint8_t* p, const Key& key) {
  store_be16(p, key.source_port);
  store_be16(p + 2, key.destination_port);
  p[4] = key.protocol;
  p[5] = key.dscp;
  store_be16(p + 6, 0);
}

template <typename L, typename Rules>
rte_acl_ctx* build(const Rules& rules) {
  static std::atomic<uint32_t> count{0};
  const std::string name = "rules" + std::to_string(count.fetch_add(1));
  rte_acl_param param{};
  param.name = name.c_str();
  param.socket_id = SOCKET_ID_ANY;
  param.rule_size = sizeof(typename L::AclRule);
  param.max_rule_num = static_cast<uint32_t>(rules.size());
  rte_acl_ctx* context = rte_acl_create(&param);
  if (context == nullptr) return nullptr;
  std::vector<typename L::AclRule> compiled;
  for (const auto& rule : rules) compiled.push_back(L::rule_of(rule, compiled.size()));
  const rte_acl_config config = L::config();
  if (rte_acl_add_rules(context, reinterpret_cast<const rte_acl_rule*>(compiled.data()),
                        static_cast<uint32_t>(compiled.size())) == 0 &&
      rte_acl_build(context, &config) == 0) {
    return context;
  }
  rte_acl_free(context);
  return nullptr;
}

uint16_t slot_by(const rte_acl_ctx* context, const uint8_t* key) {
  uint32_t result = 0;
  rte_acl_classify(context, &key, &result, 1, 1);
  return static_cast<uint16_t>(result == 0 ? 0 : result - 1);
}

}  // namespace

void RuleIndex::Free::operator()(rte_acl_ctx* context) const {
  rte_acl_free(context);
}

RuleIndex::RuleIndex(std::span<const Rule> rules) : context_(build<Layout4>(rules)) {}
RuleIndex::RuleIndex(std::span<const Rule6> rules) : context_(build<Layout6>(rules)) {}

uint16_t RuleIndex::classify(const FlowKey& key) const {
  uint8_t octets[Layout4::kKey];
  store_be32(octets, key.source);
  store_be32(octets + Layout4::kAddress, key.destination);
  store_tail(octets + Layout4::kPorts, key);
  return slot_by(context_.get(), octets);
}

uint16_t RuleIndex::classify(const FlowKey6& key) const {
  uint8_t octets[Layout6::kKey];
  store_be128(octets, key.source);
  store_be128(octets + Layout6::kAddress, key.destination);
  store_tail(octets + Layout6::kPorts, key);
  return slot_by(context_.get(), octets);
}

}  // namespace anabranch::dataplane
