// SPDX-License-Identifier: BSD-3-Clause
#include "control/kernel/witness.h"

#include <nftables/libnftables.h>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace anabranch::control {
namespace {

constexpr uint64_t kEthernetHeader = 14;  // the egress hook counts it, the ingress hook does not

std::string counter_name(const char* direction, size_t uplink) {
  return std::string(direction) + std::to_string(uplink);
}

// A fingerprint of the set-up, stored as the name of an empty chain: nftables 1.0.6 has no comment
// on tables that could be read back everywhere.
std::string mark(uint16_t udp_port, const std::vector<std::string>& uplinks,
                 const std::string& lan) {
  std::string text = "for3_" + std::to_string(udp_port) + "_" + lan;
  for (const std::string& uplink : uplinks) text += "_" + uplink;
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_'; }, '_');
  return text;
}

std::string set_up(const std::string& table, const std::string& mark, uint16_t udp_port,
                   const std::vector<std::string>& uplinks, const std::string& lan) {
  const std::string port = std::to_string(udp_port);
  const std::string udp = "meta protocol { ip, ip6 } meta l4proto udp udp";
  std::string t = "add table netdev " + table + "\nadd chain netdev " + table + " " + mark + "\n";
  std::string devices = lan.empty() ? "" : "\"" + lan + "\"";
  for (size_t u = 0; u < uplinks.size(); ++u) {
    const std::string in = counter_name("received", u), out = counter_name("sent", u);
    t += "add counter netdev " + table + " " + in + "\nadd counter netdev " + table + " " + out +
         "\n";
    t += "add chain netdev " + table + " in" + std::to_string(u) +
         " { type filter hook ingress device \"" + uplinks[u] + "\" priority 0; }\n";
    t += "add rule netdev " + table + " in" + std::to_string(u) + " " + udp + " dport " + port +
         " counter name \"" + in + "\" drop\n";
    t += "add chain netdev " + table + " out" + std::to_string(u) +
         " { type filter hook egress device \"" + uplinks[u] + "\" priority 0; }\n";
    t += "add rule netdev " + table + " out" + std::to_string(u) + " " + udp + " sport " + port +
         " counter name \"" + out + "\"\n";
    devices += (devices.empty() ? "\"" : ", \"") + uplinks[u] + "\"";
  }
  t += "add table inet " + table + "\nadd chain inet " + table +
       " forward { type filter hook forward priority 0; }\n";
  t += "add rule inet " + table + " forward iifname { " + devices + " } oifname { " + devices +
       " } drop\n";
  if (lan.empty()) return t;
  t += "add chain inet " + table + " prerouting { type filter hook prerouting priority -300; }\n";
  t += "add rule inet " + table + " prerouting iifname \"" + lan +
       "\" fib daddr type != { local, broadcast, multicast, anycast } drop\n";
  return t;
}

}  // namespace

void Witness::Free::operator()(nft_ctx* context) const {
  nft_ctx_free(context);
}

tl::expected<std::string, std::string> Witness::run(const std::string& commands) {
  const int result = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  const std::string output = nft_ctx_get_output_buffer(context_.get());
  const std::string error = nft_ctx_get_error_buffer(context_.get());
  if (result != 0) return tl::unexpected("nftables: " + error.substr(0, error.find('\n')));
  return output;
}

tl::expected<Witness, std::string> Witness::open(const std::string& gateway, uint16_t udp_port,
                                                 const std::vector<std::string>& uplinks,
                                                 const std::string& lan) {
  Witness w;
  w.context_.reset(nft_ctx_new(NFT_CTX_DEFAULT));
  if (w.context_ == nullptr) return tl::unexpected<std::string>("nftables is not available");
  nft_ctx_buffer_output(w.context_.get());
  nft_ctx_buffer_error(w.context_.get());
  nft_ctx_output_set_flags(w.context_.get(), NFT_CTX_OUTPUT_JSON);
  w.table_ = "anabranch_" + gateway;
  std::replace(w.table_.begin(), w.table_.end(), '-', '_');
  w.uplinks_ = uplinks;
  const std::string same = mark(udp_port, uplinks, lan);
  w.reused_ = w.run("list chain netdev " + w.table_ + " " + same).has_value();
  if (w.reused_) return w;
  w.remove();
  if (const auto made = w.run(set_up(w.table_, same, udp_port, uplinks, lan)); !made)
    return tl::unexpected(made.error());
  return w;
}

tl::expected<std::vector<WitnessCount>, std::string> Witness::read() {
  const auto listed = run("list counters table netdev " + table_);
  if (!listed) return tl::unexpected(listed.error());
  const auto document = nlohmann::json::parse(*listed, nullptr, false);
  std::vector<WitnessCount> counts(uplinks_.size());
  if (!document.is_object())
    return tl::unexpected<std::string>("nftables: its counters are not understood");
  for (const auto& entry : document.value("nftables", nlohmann::json::array())) {
    if (!entry.contains("counter")) continue;
    const auto& counter = entry["counter"];
    const uint64_t packets = counter.value("packets", uint64_t{0}),
                   octets = counter.value("bytes", uint64_t{0});
    for (size_t u = 0; u < uplinks_.size(); ++u) {
      if (counter.value("name", "") == counter_name("received", u)) {
        counts[u].received_octets = octets;
        counts[u].received_packets = packets;
      } else if (counter.value("name", "") == counter_name("sent", u)) {
        counts[u].sent_octets = octets - packets * kEthernetHeader;
        counts[u].sent_packets = packets;
      }
    }
  }
  return counts;
}

void Witness::remove() {
  // Each by itself: one may be there without the other.
  (void)run("delete table netdev " + table_);
  (void)run("delete table inet " + table_);
}

}  // namespace anabranch::control
