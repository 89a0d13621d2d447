// SPDX-License-Identifier: BSD-3-Clause
// Mistakes in a gateway's configuration file: one clear message each, at its place.
#include "control/config.h"

#include <gtest/gtest.h>

#include "tests/control/example.h"
#include "tests/dataplane/temporary_folder.h"

namespace anabranch::control {
namespace {

const std::string& site_a() {
  static const std::string text = text_of(example("site-a.toml"));
  return text;
}

// What is wrong with the text, or "in order".
std::string verdict(const std::string& text) {
  const auto config = parse_config(text, "gateway.toml");
  return config ? "in order" : config.error();
}

TEST(Config, OfTheQuickstartsGatewaysIsInOrder) {
  const auto a = read_config(example("site-a.toml"));
  ASSERT_TRUE(a) << a.error();
  EXPECT_EQ(a->name, "site-a");
  EXPECT_EQ(a->documents_dir, example("site-a")) << "beside the file, wherever that is";
  ASSERT_EQ(a->uplinks.size(), 3u);
  EXPECT_EQ(a->uplinks[1].provider, "airmobile");
  EXPECT_EQ(a->uplinks[1].rate_down_bps, 50'000'000u);
  EXPECT_EQ(a->peer.role, SessionRole::connect);
  ASSERT_EQ(a->peer.paths.size(), 3u);
  EXPECT_EQ(to_string(a->peer.paths[2].peer_address), "10.1.3.2");
  const auto b = read_config(example("site-b.toml"));
  ASSERT_TRUE(b) << b.error();
  EXPECT_EQ(b->peer.role, SessionRole::listen);
  EXPECT_EQ(b->peer.prefixes, a->lan_prefixes) << "each knows what lies behind the other";
}

TEST(Config, HasHostsOfBothFamiliesBehindAGateway) {
  EXPECT_FALSE(read_config(example("site-a.toml"))->has_ipv6_hosts());
  const std::string text =
      replaced(site_a(), "interface = \"lan\"\nprefixes = [\"10.10.0.0/24\"]",
               "device = \"net_ring0\"\nnetwork_address = \"10.10.0.1/24\"\nnetwork_address_ipv6 = "
               "\"2001:db8:1::1/64\"\nnext_hop_mac = \"02:00:00:00:00:01\"\nprefixes = "
               "[\"10.10.0.0/24\", \"2001:db8:1::/48\"]\ngateway_ipv6 = \"fe80::1\"");
  const auto config = parse_config(text, "gateway.toml");
  ASSERT_TRUE(config) << config.error();
  EXPECT_TRUE(config->has_ipv6_hosts());
  EXPECT_EQ(to_string(config->lan_prefixes[1]), "2001:db8:1::/48");
  EXPECT_EQ(to_string(*config->lan.address6), "2001:db8:1::1");
  EXPECT_EQ(to_string(*config->lan.network6), "2001:db8:1::/64");
  EXPECT_EQ(to_string(*config->lan_gateway6), "fe80::1");
}

TEST(Config, SeveralWorkersHaveACpuEach) {
  const auto with = [](const std::string& lines) {
    std::string text = site_a();
    text.replace(text.find("cpu = 0"), 7, lines);
    return parse_config(text, "gateway.toml").value();
  };
  EXPECT_EQ(with("").worker_cpus, std::vector<uint16_t>{0});
  EXPECT_EQ(with("cpu = 3\nworkers = 3").worker_cpus, (std::vector<uint16_t>{3, 4, 5}));
  EXPECT_EQ(with("workers = 2\nworker_cpus = [6, 2]").worker_cpus, (std::vector<uint16_t>{6, 2}));
  EXPECT_EQ(with("").memory_mb, 512u);
  EXPECT_EQ(with("workers = 3").memory_mb, 1536u);
  EXPECT_EQ(with("flows_max = 4194304").memory_mb, 1088u) << "no less than it needs";
}

TEST(Config, RecordsFlowsOnlyWhenAsked) {
  EXPECT_FALSE(read_config(example("site-a.toml"))->flows);
  const auto flows = [](const std::string& lines) {
    const auto config = parse_config(site_a() + "\n[flows]\n" + lines, "gateway.toml");
    EXPECT_TRUE(config) << config.error();
    return config->flows.value();
  };
  const FlowsConfig usual = flows("collector = \"tcp://192.0.2.1:4739\"");
  EXPECT_TRUE(usual.over_tcp);
  EXPECT_EQ(to_string(usual.collector.value()), "192.0.2.1:4739");
  EXPECT_EQ(usual.active_s, 60u);
  EXPECT_FALSE(usual.truncated);
  const FlowsConfig other = flows(
      "collector = \"udp://[2001:db8::1]:9995\"\nactive_seconds = 5\nanonymise = \"truncate\"\n"
      "template_seconds = 20\nobservation_domain = 7\nenterprise = 4294967295");
  EXPECT_FALSE(other.over_tcp);
  EXPECT_EQ(to_string(other.collector.value()), "[2001:db8::1]:9995");
  EXPECT_EQ(other.active_s, 5u);
  EXPECT_TRUE(other.truncated);
  EXPECT_EQ(other.template_s, 20u);
  EXPECT_EQ(other.domain, 7u);
  EXPECT_EQ(other.enterprise, 4294967295u);
  EXPECT_EQ(other.keep_days, 0u);
  const FlowsConfig here = flows("keep_days = 30\nkeep_mb = 100");
  EXPECT_FALSE(here.collector);
  EXPECT_EQ(here.keep_days, 30u);
  EXPECT_EQ(here.keep_mb, 100u);
}

TEST(Config, MistakesAreToldAllAtOnceInTheOrderOfTheFile) {
  std::string text = replaced(site_a(), "\"50 Mbit/s\"", "50");
  text = replaced(text, "cpu = 0", "cpus = 0");
  text = replaced(text, "id = 2", "id = 1");
  const std::string told = verdict(text);
  const size_t cpu = told.find("dataplane.cpus"), rate = told.find("uplink[1].rate_up"),
               id = told.find("peer.path[1].id");
  EXPECT_LT(cpu, rate) << told;
  EXPECT_LT(rate, id) << told;
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 2) << told;
}

TEST(Config, TwoUplinksWithoutNamesAreToldThatAndNotThatTheirNamesAreTaken) {
  std::string text = replaced(site_a(), "name = \"mobile\"\n", "");
  text = replaced(text, "name = \"dsl\"\n", "");
  text = replaced(text, "uplink = \"mobile\"\n", "");
  text = replaced(text, "uplink = \"dsl\"\n", "");
  const std::string told = verdict(text);
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 3) << told;
}

TEST(Config, AMistakeIsOneLineWhateverItQuotes) {
  const std::string told = verdict(replaced(site_a(), "name = \"site-a\"", "name = \"a\\nb\""));
  EXPECT_EQ(told,
            "gateway.toml:4:8: gateway.name: \"a b\"; expected a name of 1 to 32 characters out of "
            "a-z, 0-9 and -");
}

TEST(Config, AFileThatIsNotThereIsNamed) {
  const dataplane::TemporaryFolder folder;
  const std::string none = folder.file("none.toml");
  const auto config = read_config(none);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error(), none + ": cannot be read; expected the gateway's configuration (TOML)");
}

TEST(Config, AFolderIsNoFile) {
  const dataplane::TemporaryFolder folder;
  const auto config = read_config(folder.path());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error(),
            folder.path() + ": cannot be read; expected the gateway's configuration (TOML)");
}

TEST(Config, AnEmptyFileIsToldEveryRequiredKeyAtItsStart) {
  const std::string told = verdict("");
  for (const char* key :
       {"gateway.name", "gateway.state_dir", "lan.prefixes", "uplink", "peer.name", "peer.session",
        "gateway.certificate", "gateway.key", "peer.fingerprint", "peer.path"}) {
    EXPECT_NE(told.find(std::string("gateway.toml:1:1: ") + key + ": "), std::string::npos)
        << key << "\n"
        << told;
  }
}

TEST(Config, TheAddressOfAPathMayBeLearntWhereAGatewayLeadsEverywhere) {
  std::string text = replaced(site_a(), "session = \"connect\"", "session = \"listen\"");
  text = replaced(text, "address = \"10.1.1.2\"\n", "");
  EXPECT_NE(verdict(text).find("peer.path[0].address: is missing"), std::string::npos);
  text = replaced(text, "interface = \"fibre\"", "interface = \"fibre\"\ngateway = \"10.1.1.2\"");
  const auto config = parse_config(text, "gateway.toml");
  ASSERT_TRUE(config) << config.error();
  EXPECT_FALSE(config->peer.paths[0].peer_address.is_given());
}

TEST(Config, ADevicePortNeedsWhatTheKernelWouldTell) {
  const std::string device =
      "device = \"net_ring0\"\nnetwork_address = \"10.1.1.1/30\"\nnext_hop_mac = "
      "\"02:00:00:00:00:01\"";
  const auto config =
      parse_config(replaced(site_a(), "interface = \"fibre\"", device), "gateway.toml");
  ASSERT_TRUE(config) << config.error();
  const PortConfig& port = config->uplinks[0].port;
  EXPECT_EQ(to_string(*port.address), "10.1.1.1");
  EXPECT_EQ(to_string(*port.network), "10.1.1.0/30");
  for (const char* wrong : {"02:00:00:00:00", "02:00:00:00:00: 1", "+2:00:00:00:00:01",
                            "02-00-00-00-00-01", "02:00:00:00:00:0g", "02:00:00:00:00:01:02"}) {
    const std::string text = replaced(device, "02:00:00:00:00:01", wrong);
    EXPECT_EQ(verdict(replaced(site_a(), "interface = \"fibre\"", text)),
              "gateway.toml:24:16: uplink[0].next_hop_mac: \"" + std::string(wrong) +
                  "\"; expected a MAC address such as \"02:00:00:00:00:01\"");
  }
  for (const char* wrong : {"10.1.1.1", "10.1.1.1/0", "10.1.1.1/33", "10.1.1/24"}) {
    const std::string text = replaced(device, "10.1.1.1/30", wrong);
    EXPECT_EQ(verdict(replaced(site_a(), "interface = \"fibre\"", text)),
              "gateway.toml:23:19: uplink[0].network_address: \"" + std::string(wrong) +
                  "\"; expected our address and the network's length, such as \"10.1.1.1/30\"");
  }
}

}  // namespace
}  // namespace anabranch::control
