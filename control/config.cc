// SPDX-License-Identifier: BSD-3-Clause
#include "control/config.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "billing/store.h"
#include "control/documents.h"
#include "control/mail_table.h"
#include "control/toml_file.h"
#include "dataplane/bounds.h"
#include "dataplane/memory.h"

namespace anabranch::control {
namespace {

constexpr const char* kAddress = "an IPv4 address such as \"10.1.1.1\"";
constexpr const char* kAddress6 = "an IPv6 address such as \"2001:db8:1::1\"";
constexpr const char* kPrefixes = "a list of prefixes such as [\"10.10.0.0/24\"], host bits zero";
constexpr const char* kLinkRate = "a rate such as \"100 Mbit/s\", or \"auto\"";
constexpr const char* kWindow = "a duration such as \"1 d\" or \"8 h\"";
constexpr const char* kName = "a name of 1 to 32 characters out of a-z, 0-9 and -";

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::string read_name(TableReader& t, const char* key) {
  const std::string value = t.text(key, kName);
  if (!value.empty() && !is_name(value)) t.wrong(key, "\"" + value + "\"", kName);
  return value;
}

std::vector<Prefix> read_prefixes(TableReader& t, const char* key) {
  std::vector<Prefix> prefixes;
  for (const std::string& text : t.texts(key, kPrefixes)) {
    if (const auto prefix = parse_prefix(text))
      prefixes.push_back(*prefix);
    else
      t.wrong(key, "\"" + text + "\"", kPrefixes);
  }
  return prefixes;
}

bool is_fingerprint(const std::string& text) {
  constexpr std::string_view kPrefix = "sha256:";
  constexpr size_t kDigits = 64;
  return text.size() == kPrefix.size() + kDigits && text.starts_with(kPrefix) &&
         text.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string::npos;
}

// Files are named as seen from the configuration's folder.
std::string beside(const std::string& config, const std::string& name) {
  if (name.empty()) return name;
  return (std::filesystem::path(config).parent_path() / name).string();
}

// What is neither true nor false is told as that alone, and not as a missing yes too.
bool read_consent(TableReader& t, const char* key) {
  return t.boolean(key, t.has(key));
}

bool is_mac(const std::string& text) {
  bool right = text.size() == 17;
  for (size_t i = 0; right && i < text.size(); ++i) {
    right = i % 3 == 2 ? text[i] == ':' : std::isxdigit(static_cast<unsigned char>(text[i])) != 0;
  }
  return right;
}

struct InNetwork {
  Ip address;
  Prefix network;
};

// "10.1.1.1/30": an address and the network it is in. `any`: all addresses of its family.
template <typename Parse>
auto in_network(Parse parse, const char* any) {
  return [parse, any](std::string_view text) -> std::optional<InNetwork> {
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto address = parse(text.substr(0, slash));
    const auto length = parse_prefix(any + std::string(text.substr(slash)));
    if (!address || !length || length->length == 0) return std::nullopt;
    const Prefix network{*address, length->length};
    return InNetwork{*address, {{address->value & network.mask()}, network.length}};
  };
}

// Which addresses a port must have.
struct Families {
  bool ipv4 = false, ipv6 = false;
};

// What the kernel would tell of an interface.
void read_device_addresses(TableReader& t, const Families& must, PortConfig& port) {
  if (const auto read = t.parsed("network_address",
                                 "our address and the network's length, such as \"10.1.1.1/30\"",
                                 in_network(parse_ipv4, "0.0.0.0"), must.ipv4)) {
    port.address = read->address;
    port.network = read->network;
  }
  if (const auto read =
          t.parsed("network_address_ipv6",
                   "our IPv6 address and the network's length, such as \"2001:db8:1::1/64\"",
                   in_network(parse_ipv6, "::"), must.ipv6)) {
    port.address6 = read->address;
    port.network6 = read->network;
  }
}

PortConfig read_port(TableReader& t, const Families& must, uint16_t mtu_max) {
  PortConfig port;
  port.interface = t.text("interface", "the name of a kernel interface", false);
  port.device = t.text("device", "a DPDK device such as \"net_ring0\" or \"0000:03:00.0\"", false);
  if (t.has("interface") == t.has("device")) {
    t.fail(t.place("interface"),
           "interface: expected exactly one of interface (shared with the kernel) and device "
           "(DPDK's alone)");
  }
  if (t.has("vlan")) port.vlan = static_cast<uint16_t>(t.integer("vlan", 0, 1, 4094));
  if (port.device.empty() && port.vlan != 0) {
    const std::string vlan = std::to_string(port.vlan);
    t.wrong("vlan", vlan + " is for a device",
            "the kernel's interface of the VLAN, such as interface = \"" + port.interface + "." +
                vlan + "\"");
  }
  if (port.device.empty()) return port;
  if (t.has("interface")) return port;  // which of them is meant is not known
  read_device_addresses(t, must, port);
  constexpr const char* kMac = "a MAC address such as \"02:00:00:00:00:01\"";
  port.next_hop_mac = t.text("next_hop_mac", kMac);
  if (!port.next_hop_mac.empty() && !is_mac(port.next_hop_mac))
    t.wrong("next_hop_mac", "\"" + port.next_hop_mac + "\"", kMac);
  port.mtu =
      static_cast<uint16_t>(t.integer("mtu", dataplane::kMtuUsual, dataplane::kMtuMin, mtu_max));
  return port;
}

// One is on `cpu`; several on those that `worker_cpus` names, or on `cpu` and the next.
void read_workers(TableReader& t, Config& c) {
  const uint64_t workers = t.integer("workers", 1, 1, dataplane::kWorkersMax);
  const uint64_t first = t.integer("cpu", 0, 0, 1023);
  const std::vector<uint64_t> named = t.integers("worker_cpus", 1023);
  if (t.has("cpu") && t.has("worker_cpus"))
    t.fail(t.place("worker_cpus"),
           "worker_cpus: expected either cpu, of the first worker, or worker_cpus, of each");
  if (!named.empty() && named.size() != workers)
    t.wrong("worker_cpus",
            std::to_string(named.size()) + " for " + std::to_string(workers) + " workers",
            "one for each of dataplane.workers");
  c.worker_cpus.clear();
  for (uint64_t w = 0; w < workers; ++w)
    c.worker_cpus.push_back(static_cast<uint16_t>(w < named.size() ? named[w] : first + w));
}

void read_dataplane(TableReader t, Config& c) {
  read_workers(t, c);
  for (const uint64_t cpu : t.integers("control_cpus", 1023))
    c.control_cpus.push_back(static_cast<uint16_t>(cpu));
  c.hugepages = t.boolean("hugepages", false);
  c.spin = t.boolean("spin", false);
  c.flows_max = static_cast<uint32_t>(t.integer("flows_max", c.flows_max, 1024, 1u << 24));
  c.mtu_max = static_cast<uint16_t>(
      t.integer("mtu_max", c.mtu_max, dataplane::kMtuUsual, dataplane::kMtuMax));
  const auto workers = static_cast<uint32_t>(c.workers());
  const uint64_t least = dataplane::memory_mb_for(workers, dataplane::kUplinksMax, c.flows_max,
                                                  c.hugepages, c.mtu_max);
  c.memory_mb = static_cast<uint32_t>(
      t.integer("memory_mb", std::max<uint64_t>(512 * workers, least), least, 1u << 20));
  c.flow_idle_s = static_cast<uint32_t>(t.integer("flow_idle_s", c.flow_idle_s, 1, 86400));
  c.hole_wait_ms_max =
      static_cast<uint32_t>(t.integer("hole_wait_ms_max", c.hole_wait_ms_max, 1, 5000));
  t.finish();
}

void read_lan(TableReader t, Config& c) {
  c.lan_prefixes = read_prefixes(t, "prefixes");
  // Hosts are answered from them.
  c.lan = read_port(t, {.ipv4 = true, .ipv6 = c.has_ipv6_hosts()}, c.mtu_max);
  c.lan_gateway = t.parsed("gateway", kAddress, parse_ipv4, false);
  c.lan_gateway6 = t.parsed("gateway_ipv6", kAddress6, parse_ipv6, false);
  t.finish();
}

// 0 is "auto".
std::optional<uint64_t> parse_link_rate(std::string_view text) {
  return text == "auto" ? std::optional<uint64_t>(0) : parse_rate(text);
}

// Both ways the same, or each its own.
void read_rates(TableReader& t, UplinkConfig& u) {
  const auto rate = [&](const char* key) {
    return t.parsed(key, kLinkRate, parse_link_rate).value_or(0);
  };
  const bool each = t.has("rate_up") || t.has("rate_down");
  if (t.has("rate")) {
    u.rate_up_bps = u.rate_down_bps = rate("rate");
    if (each) t.fail(t.place("rate"), "rate: expected either rate, or rate_up and rate_down");
  }
  if (t.has("rate") && !each) return;
  u.rate_up_bps = rate("rate_up");
  u.rate_down_bps = rate("rate_down");
}

UplinkConfig read_uplink(TableReader& t, uint16_t mtu_max) {
  UplinkConfig u;
  u.name = read_name(t, "name");
  u.provider = read_name(t, "provider");
  u.network = read_name(t, "network");
  u.port = read_port(t, {.ipv4 = !t.has("network_address_ipv6")}, mtu_max);
  read_rates(t, u);
  u.link_overhead = static_cast<uint16_t>(t.integer("link_overhead", u.link_overhead, 0, 200));
  u.on_order = t.boolean("on_order", false);
  u.gateway = t.parsed("gateway", kAddress, parse_ipv4, false);
  u.gateway6 = t.parsed("gateway_ipv6", kAddress6, parse_ipv6, false);
  t.finish();
  return u;
}

void read_uplinks(TableReader& root, Config& c) {
  for (TableReader& t : root.tables("uplink", true)) {
    UplinkConfig u = read_uplink(t, c.mtu_max);
    if (!u.name.empty() && c.find_uplink(u.name) != nullptr)
      t.wrong("name", "\"" + u.name + "\" is taken by another uplink", "another name");
    const auto same_port = [&](const PortConfig& p) {
      return (!p.interface.empty() && p.interface == u.port.interface) ||
             (!p.device.empty() && p.device == u.port.device);
    };
    const bool taken = same_port(c.lan) || std::any_of(c.uplinks.begin(), c.uplinks.end(),
                                                       [&](const UplinkConfig& other) {
                                                         return same_port(other.port);
                                                       });
    if (taken)
      t.wrong(u.port.device.empty() ? "interface" : "device",
              "\"" + u.port.interface + u.port.device + "\" is used by another port",
              "a port of its own");
    c.uplinks.push_back(std::move(u));
  }
  if (c.uplinks.size() > dataplane::kUplinksMax) {
    root.fail(root.place("uplink"), "uplink: there are " + std::to_string(c.uplinks.size()) +
                                        "; expected at most " +
                                        std::to_string(dataplane::kUplinksMax));
  }
}

constexpr const char* kPeerAddress =
    "an address such as \"10.1.1.1\" or \"2001:db8::1\", not a link-local one";
std::optional<Ip> parse_global(std::string_view text) {
  const auto ip = parse_ip(text);
  return ip && ip->is_link_local() ? std::nullopt : ip;
}

void read_paths(TableReader& peer, Config& c) {
  for (TableReader& t : peer.tables("path", true)) {
    PathConfig path;
    path.id = static_cast<uint8_t>(t.integer("id", 0, 1, dataplane::kPathsMax - 1, true));
    path.uplink = t.text("uplink", "the name of an uplink");
    // Learnt from what comes, where there is a way to send to any address.
    const UplinkConfig* over = c.find_uplink(path.uplink);
    const bool learnt =
        c.peer.role == SessionRole::listen && over != nullptr && (over->gateway || over->gateway6);
    path.peer_address = t.parsed("address", kPeerAddress, parse_global, !learnt).value_or(Ip{});
    const bool alien = path.peer_address.is_given() && over != nullptr &&
                       (c.is_ipv6(path) ? over->port.address && !over->port.address6
                                        : over->port.address6 && !over->port.address);
    if (alien) {
      t.wrong("address", to_string(path.peer_address),
              "one of the family of uplink \"" + over->name + "\"");
    }
    const auto clash = [&](auto same) {
      return std::any_of(c.peer.paths.begin(), c.peer.paths.end(), same);
    };
    if (path.id != 0 && clash([&](const PathConfig& p) { return p.id == path.id; })) {
      t.wrong("id", std::to_string(path.id) + " is taken by another path", "another number");
    }
    if (path.uplink.empty()) {
      // Told already.
    } else if (c.find_uplink(path.uplink) == nullptr) {
      t.wrong("uplink", "there is no uplink \"" + path.uplink + "\"", "the name of an [[uplink]]");
    } else if (clash([&](const PathConfig& p) { return p.uplink == path.uplink; })) {
      t.wrong("uplink", "\"" + path.uplink + "\" has a path to this peer already",
              "one path for each uplink");
    }
    t.finish();
    c.peer.paths.push_back(std::move(path));
  }
}

// Whom we take for the peer: by its certificate, or by who vouches for it.
void read_trust(TableReader& t, Config& c) {
  constexpr const char* kFingerprint =
      "\"sha256:\" and 64 hexadecimal digits, as anabranch keygen printed them at the peer";
  c.peer.fingerprint = t.text("fingerprint", kFingerprint, false);
  c.peer.ca = beside(c.file, t.text("ca", "a file of CA certificates (PEM)", false));
  if (!c.peer.fingerprint.empty() && !is_fingerprint(c.peer.fingerprint))
    t.wrong("fingerprint", "\"" + c.peer.fingerprint + "\"", kFingerprint);
  if (t.has("fingerprint") == t.has("ca")) {
    t.fail(
        t.place("fingerprint"),
        "fingerprint: expected exactly one of fingerprint (of the peer's certificate, printed by "
        "anabranch keygen) and ca (a file of CAs that vouch for it)");
  }
}

void read_ciphers(TableReader& t, PeerConfig& peer) {
  constexpr const char* kNames = "aes-128-gcm, aes-256-gcm or chacha20-poly1305";
  for (const std::string& name : t.texts("ciphers", kNames, false)) {
    if (const auto cipher = dataplane::find_cipher(name)) {
      peer.ciphers.push_back(*cipher);
    } else {
      t.wrong("ciphers", "\"" + name + "\"", kNames);
    }
  }
  if (t.has("ciphers")) return;
  peer.ciphers = {dataplane::Cipher::aes_128_gcm, dataplane::Cipher::aes_256_gcm,
                  dataplane::Cipher::chacha20_poly1305};
}

void read_peer(TableReader t, Config& c) {
  c.peer.name = read_name(t, "name");
  const std::string role = t.text("session", "\"connect\" or \"listen\"");
  if (!role.empty() && role != "connect" && role != "listen")
    t.wrong("session", "\"" + role + "\"", "\"connect\" or \"listen\"");
  c.peer.role = role == "listen" ? SessionRole::listen : SessionRole::connect;
  c.peer.port = static_cast<uint16_t>(t.integer("port", c.peer.port, 1, 65535));
  read_trust(t, c);
  read_ciphers(t, c.peer);
  c.peer.rekey_s = static_cast<uint32_t>(t.integer("rekey_s", c.peer.rekey_s, 1, 3600));
  c.peer.prefixes = read_prefixes(t, "prefixes");
  read_paths(t, c);
  for (const Prefix& ours : c.lan_prefixes) {
    for (const Prefix& theirs : c.peer.prefixes) {
      if (ours.contains(theirs) || theirs.contains(ours)) {
        t.wrong("prefixes", to_string(theirs) + " overlaps " + to_string(ours) + " of lan.prefixes",
                "prefixes that are behind the peer only");
      }
    }
  }
  t.finish();
}

void read_api(TableReader t, Config& c) {
  const auto listen =
      t.parsed("listen", "an address and port such as \"127.0.0.1:8080\"", parse_endpoint, false);
  c.api_listen = listen.value_or(c.api_listen);
  c.api_insecure_cleartext = read_consent(t, "insecure_cleartext");
  if (!c.api_listen.address.is_loopback() && !c.api_insecure_cleartext) {
    t.wrong("listen",
            to_string(c.api_listen) + " can be reached by others, without encryption or password",
            "an address in 127.0.0.0/8, or insecure_cleartext = true");
  }
  t.finish();
}

void read_gateway(TableReader t, Config& c) {
  c.name = read_name(t, "name");
  c.state_dir = t.text("state_dir", "a folder on a disk, for journal and ledger");
  c.runtime_dir = t.text("runtime_dir", "a folder on a tmpfs, such as \"/run/anabranch\"");
  c.documents_dir = t.text("documents", "the folder of clients/, profiles/ and tariffs/");
  c.documents_dir = beside(c.file, c.documents_dir);
  c.certificate = beside(
      c.file,
      t.text("certificate", "this gateway's certificate, a file that anabranch keygen made"));
  c.key = beside(c.file,
                 t.text("key", "the key of the certificate, a file that anabranch keygen made"));
  t.finish();
}

void read_billing(TableReader t, Config& c) {
  c.journal_segment_mb =
      static_cast<uint32_t>(t.integer("journal_segment_mb", c.journal_segment_mb, 1, 1024));
  c.journal_direct = t.boolean("journal_direct", true);
  c.statements_dir = t.text("statements_dir", "a folder for statements", false);
  const auto number = [&](const char* key, uint32_t& into, int64_t max) {
    into = static_cast<uint32_t>(t.integer(key, into, 0, max));
  };
  number("journal_keep_days", c.journal_keep_days, 36'500);
  number("journal_keep_mb", c.journal_keep_mb, 100'000'000);
  number("journal_compact_after_days", c.journal_compact_after_days, 36'500);
  c.ledger =
      t.text("ledger", "a PostgreSQL address such as \"postgresql://billing@db/ledger\"", false);
  if (!c.ledger.empty() && !billing::Store::is_url(c.ledger)) {
    t.wrong("ledger", "\"" + c.ledger + "\"",
            "a PostgreSQL address such as \"postgresql://billing@db/ledger\"");
  }
  c.mail = read_mail(t, c.file);
  // Several gateways may share a database, and only who has all their journals can close.
  c.close_periods = t.boolean("close_periods", c.ledger.empty());
  t.finish();
}

void read_decisions(TableReader t, Config& c) {
  const auto number = [&](const char* key, uint32_t& into, uint64_t least, uint64_t most) {
    into = static_cast<uint32_t>(t.integer(key, into, least, most));
  };
  number("file_mb", c.decisions_file_mb, 1, 1024);
  number("keep_mb", c.decisions_keep_mb, 0, 100'000'000);
  number("keep_days", c.decisions_keep_days, 0, 36'500);
  t.finish();
}

struct CollectorAddress {
  bool over_tcp = true;
  Endpoint endpoint;
};

std::optional<CollectorAddress> parse_collector(std::string_view text) {
  constexpr std::string_view kTcp = "tcp://", kUdp = "udp://";
  const bool over_tcp = text.starts_with(kTcp);
  if (!over_tcp && !text.starts_with(kUdp)) return std::nullopt;
  const auto endpoint = parse_endpoint(text.substr(kTcp.size()));
  if (!endpoint) return std::nullopt;
  return CollectorAddress{over_tcp, *endpoint};
}

void read_shop(TableReader& root, Config& c) {
  TableReader t = root.table("shop");
  if (root.has("shop"))
    c.shop_bps = t.parsed("bandwidth", "a rate such as \"50 Mbit/s\"", parse_rate).value_or(0);
  t.finish();
}

void read_negotiation(TableReader& root, Config& c) {
  TableReader t = root.table("negotiation");
  c.order_window_s = t.parsed("window", kWindow, parse_duration, false).value_or(c.order_window_s);
  t.finish();
}

// Flows are personal data: nothing of them is recorded unless it is asked for.
void read_flows(TableReader& root, Config& c) {
  TableReader t = root.table("flows");
  if (!root.has("flows")) return;
  FlowsConfig flows;
  const auto collector = t.parsed("collector",
                                  "an IPFIX collector such as \"tcp://192.0.2.1:4739\" or "
                                  "\"udp://[2001:db8::1]:4739\"",
                                  parse_collector, !t.has("keep_days"));
  if (collector) {
    flows.over_tcp = collector->over_tcp;
    flows.collector = collector->endpoint;
  }
  const auto number = [&](const char* key, uint32_t& into, uint64_t least, uint64_t most) {
    into = static_cast<uint32_t>(t.integer(key, into, least, most));
  };
  number("keep_days", flows.keep_days, 1, 36'500);
  number("keep_mb", flows.keep_mb, 1, 1u << 30);
  number("active_seconds", flows.active_s, 1, 3600);
  constexpr const char* kAnonymise = "\"none\" or \"truncate\"";
  const std::string anonymise = t.text("anonymise", kAnonymise, false, "none");
  if (anonymise != "none" && anonymise != "truncate" && !anonymise.empty())
    t.wrong("anonymise", "\"" + anonymise + "\"", kAnonymise);
  flows.truncated = anonymise == "truncate";
  number("template_seconds", flows.template_s, 1, 3600);
  number("observation_domain", flows.domain, 1, UINT32_MAX);
  number("enterprise", flows.enterprise, 1, UINT32_MAX);
  t.finish();
  c.flows = flows;
}

}  // namespace

bool Config::is_ipv6(const PathConfig& path) const {
  if (path.peer_address.is_given()) return !path.peer_address.is_ipv4();
  const UplinkConfig* uplink = find_uplink(path.uplink);
  return uplink != nullptr && !uplink->gateway && uplink->gateway6;
}

Ip Config::next_hop(const PathConfig& path) const {
  const UplinkConfig& uplink = *find_uplink(path.uplink);
  return (is_ipv6(path) ? uplink.gateway6 : uplink.gateway).value_or(path.peer_address);
}

bool Config::has_ipv6_hosts() const {
  return std::any_of(lan_prefixes.begin(), lan_prefixes.end(),
                     [](const Prefix& prefix) { return !prefix.is_ipv4(); });
}

const UplinkConfig* Config::find_uplink(std::string_view wanted) const {
  const auto found = std::find_if(uplinks.begin(), uplinks.end(),
                                  [&](const UplinkConfig& u) { return u.name == wanted; });
  return found == uplinks.end() ? nullptr : &*found;
}

tl::expected<Config, std::string> parse_config(std::string_view text, const std::string& file) {
  Config c;
  c.file = file;
  const auto read = [&](TableReader& root) {
    read_gateway(root.table("gateway"), c);
    read_dataplane(root.table("dataplane"), c);
    read_lan(root.table("lan"), c);
    read_uplinks(root, c);
    read_peer(root.table("peer"), c);
    read_api(root.table("api"), c);
    read_billing(root.table("billing"), c);
    read_decisions(root.table("decisions"), c);
    read_negotiation(root, c);
    read_shop(root, c);
    read_flows(root, c);
  };
  if (auto parsed = parse_toml(text, file, read); !parsed) return tl::unexpected(parsed.error());
  return c;
}

tl::expected<Config, std::string> read_config(const std::string& file) {
  return read_whole(file, "the gateway's configuration").and_then([&](const std::string& text) {
    return parse_config(text, file);
  });
}

}  // namespace anabranch::control
