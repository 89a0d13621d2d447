// SPDX-License-Identifier: BSD-3-Clause
// The configuration file of a gateway: one TOML file, read once at the start.
//
// Everything in it is checked before any device is touched: unknown keys, types, ranges, references
// between sections. All mistakes are reported at once, each as one line
// `file:line:column: section.key: what is wrong; expected …`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "billing/mail_options.h"
#include "control/addresses.h"
#include "dataplane/bounds.h"
#include "dataplane/cipher.h"

namespace anabranch::control {

// A port: either a kernel interface that is shared with the kernel (AF_PACKET), or a DPDK device
// that DPDK alone owns (virtual device arguments such as "net_ring0", or a PCI address).
struct PortConfig {
  std::string interface;  // shared port; empty when `device` is given
  std::string device;     // DPDK device
  // Only with `device`: what the kernel would otherwise tell.
  std::optional<Prefix> network;   // that `address` is in
  std::optional<Ip> address;       // our address on the port
  std::optional<Prefix> network6;  // the same of IPv6
  std::optional<Ip> address6;
  std::string next_hop_mac;  // "02:00:00:00:00:01", where everything is sent
  uint16_t vlan = 0;         // of its frames' tags; 0: they have none
  uint16_t mtu = 1500;       // IP MTU, 576..mtu_max (shared: read from the kernel)
};

struct UplinkConfig {
  std::string name;
  std::string provider;
  std::string network;
  PortConfig port;
  // What the provider sold us, bits a second, sending and receiving; 0: "auto", found out by the
  // traffic.
  uint64_t rate_up_bps = 0;
  uint64_t rate_down_bps = 0;
  // What a packet takes of the rate besides itself; by default Ethernet's header, FCS, preamble and
  // gap.
  uint16_t link_overhead = 38;
  bool on_order = false;       // it carries clients' traffic while it is ordered (market.h)
  std::optional<Ip> gateway;   // next hop when the peer is not on the link
  std::optional<Ip> gateway6;  // … of IPv6
};

// One uplink to one peer. `id` is the number on the wire, the same at both gateways.
struct PathConfig {
  uint8_t id = 0;  // 1..15
  std::string uplink;
  Ip peer_address;  // none: learnt from what comes (listening side only)
};

enum class SessionRole : uint8_t { connect, listen };

struct PeerConfig {
  std::string name;
  SessionRole role = SessionRole::connect;
  std::string fingerprint;                 // of the peer's certificate; or
  std::string ca;                          // file of CAs that vouch for it
  uint16_t port = 9188;                    // UDP for segments, TCP for the control session
  std::vector<dataplane::Cipher> ciphers;  // allowed, the preferred first
  uint32_t rekey_s = 120;                  // how long a key is used
  std::vector<PathConfig> paths;
  std::vector<Prefix> prefixes;  // what lies behind the peer; its services may claim these
};

// [flows]: records of flows, and where they are sent (flow_export.h).
struct FlowsConfig {
  bool over_tcp = true;  // false: over UDP
  std::optional<Endpoint> collector;
  uint32_t keep_days = 0;       // in files of our own; 0: none are written
  uint32_t keep_mb = 10240;     // … of all of them together, at most
  uint32_t active_s = 60;       // of a flow that goes on, a record comes so often
  bool truncated = false;       // addresses are told by their network only
  uint32_t template_s = 60;     // over UDP, how often templates are sent again
  uint32_t domain = 1;          // observationDomainId
  uint32_t enterprise = 32473;  // whose numbers our own information elements have
};

struct Config {
  std::string file;

  std::string name;         // [gateway] name: this gateway's instance name, on every usage record
  std::string state_dir;    // journal, ledger, documents put by the API
  std::string runtime_dir;  // meters; should be a tmpfs
  std::string certificate, key;  // who this gateway is: PEM files
  bool journal_direct = true;    // O_DIRECT; false only for development on a tmpfs

  // [dataplane]
  std::vector<uint16_t> worker_cpus{0};  // one for each worker
  size_t workers() const { return worker_cpus.size(); }
  std::vector<uint16_t> control_cpus;  // empty: every CPU this process may use
  uint32_t memory_mb = 0;              // by default 512 for each worker, or what flows_max needs
  bool hugepages = false;
  bool spin = false;                        // never sleep when idle
  uint16_t mtu_max = dataplane::kMtuUsual;  // of any port; buffers are as large
  uint32_t flows_max = 65536;               // of all workers together, of each family
  uint32_t flow_idle_s = 60;
  uint32_t hole_wait_ms_max = 1000;  // hard cap a hole in a lane may wait

  // [lan]
  PortConfig lan;
  std::vector<Prefix> lan_prefixes;  // clients (or servers) behind this gateway
  std::optional<Ip> lan_gateway;     // next hop for prefixes not on the LAN itself
  std::optional<Ip> lan_gateway6;    // … of IPv6

  std::vector<UplinkConfig> uplinks;  // 1..8
  PeerConfig peer;

  // [api]
  Endpoint api_listen{Ip::v4(0x7f000001), 8080};
  bool api_insecure_cleartext = false;  // needed for any address but 127.0.0.0/8

  // [billing]
  uint32_t journal_segment_mb = 16;
  uint32_t journal_keep_days = 400;          // charged usage, by second or compacted; 0: for ever
  uint32_t journal_keep_mb = 0;              // 0: without limit
  uint32_t journal_compact_after_days = 35;  // to slots of five minutes; 0: never
  bool close_periods = true;                 // when they are due, from this gateway's journal
  std::string statements_dir;                // where statements are delivered to
  std::string ledger;  // "postgresql://…"; empty: ledger.sqlite in state_dir
  std::optional<billing::MailOptions> mail;  // none: statements are not mailed

  // [decisions]: how long decisions stay on record
  uint32_t decisions_file_mb = 16;
  uint32_t decisions_keep_mb = 512;    // 0: without limit
  uint32_t decisions_keep_days = 400;  // 0: for ever
  uint64_t shop_bps = 0;               // [shop] sold to clients at most; 0: nothing is for sale
  int64_t order_window_s = 86'400;     // [negotiation] how long paths are ordered for

  std::optional<FlowsConfig> flows;  // none: nothing is recorded of flows

  std::string documents_dir;  // profiles/, tariffs/ and clients/ as *.json

  bool has_ipv6_hosts() const;  // behind this gateway
  // Whether segments go over IPv6: by the peer's address, or where there is none, the next hop.
  bool is_ipv6(const PathConfig& path) const;
  Ip next_hop(const PathConfig& path) const;
  const UplinkConfig* find_uplink(std::string_view name) const;
};

// Reads and checks the file. The error is every mistake found, one a line, in the order of the
// file.
tl::expected<Config, std::string> read_config(const std::string& file);
// The same from text; `file` only names it in messages.
tl::expected<Config, std::string> parse_config(std::string_view text, const std::string& file);

}  // namespace anabranch::control
