// SPDX-License-Identifier: BSD-3-Clause
// Each kind of mistake in a gateway's configuration file, and the one message it is told by.
#include <gtest/gtest.h>

#include "control/config.h"
#include "tests/control/example.h"

namespace anabranch::control {
namespace {

struct Mistake {
  const char* name;
  const char* from;  // replaced in the example ...
  const char* to;    // ... by this
  const char* message;
};

constexpr Mistake kMistakes[] = {
    {"UnknownKey", "rate_up = \"100 Mbit/s\"", "rate_up = \"100 Mbit/s\"\nrateup = \"100 Mbit/s\"",
     "24:1: uplink[0].rateup: unknown key; did you mean \"rate_up\"?"},
    {"UnknownKeyLikeNone", "cpu = 0", "cpu = 0\ncolour = \"red\"",
     "13:1: dataplane.colour: unknown key"},
    {"UnknownSection", "[dataplane]", "[datapath]",
     "11:2: datapath: unknown key; did you mean \"dataplane\"?"},
    {"NumberForText", "name = \"site-a\"", "name = 7",
     "4:8: gateway.name: 7 is no text; expected a name of 1 to 32 characters out of a-z, 0-9 and "
     "-"},
    {"EmptyText", "name = \"site-a\"", "name = \"\"",
     "4:8: gateway.name: is empty; expected a name of 1 to 32 characters out of a-z, 0-9 and -"},
    {"NameWithCapitals", "name = \"site-a\"", "name = \"Site A\"",
     "4:8: gateway.name: \"Site A\"; expected a name of 1 to 32 characters out of a-z, 0-9 and -"},
    {"TextForBoolean", "cpu = 0", "spin = \"yes\"",
     "12:8: dataplane.spin: 'yes' is neither; expected true or false"},
    {"TextForNumber", "cpu = 0", "cpu = \"0\"",
     "12:7: dataplane.cpu: '0'; expected a whole number from 0 to 1023"},
    {"TextForList", "prefixes = [\"10.10.0.0/24\"]", "prefixes = \"10.10.0.0/24\"",
     "16:12: lan.prefixes: '10.10.0.0/24' is no list; expected a list of prefixes such as "
     "[\"10.10.0.0/24\"], host bits zero"},
    {"NumberInList", "prefixes = [\"10.10.0.0/24\"]", "prefixes = [10]",
     "16:12: lan.prefixes: 10 is no text; expected a list of prefixes such as [\"10.10.0.0/24\"], "
     "host bits zero"},
    {"NumberForSection", "# Gateway A", "billing = 3 # Gateway A",
     "1:11: billing: 3 is no section; expected a section [billing]"},
    {"LedgerElsewhere", "# Gateway A", "billing.ledger = \"mysql://db\" # Gateway A",
     "1:18: billing.ledger: \"mysql://db\"; expected a PostgreSQL address such as "
     "\"postgresql://billing@db/ledger\""},
    {"NoCollector", "[api]", "[flows]\nactive_seconds = 60\n[api]",
     "63:1: flows.collector: is missing; expected an IPFIX collector such as "
     "\"tcp://192.0.2.1:4739\" or \"udp://[2001:db8::1]:4739\""},
    {"FlowsKeptForNoTime", "[api]", "[flows]\nkeep_days = 0\n[api]",
     "64:13: flows.keep_days: 0; expected a whole number from 1 to 36500"},
    {"CollectorByName", "[api]", "[flows]\ncollector = \"tcp://collector:4739\"\n[api]",
     "64:13: flows.collector: \"tcp://collector:4739\"; expected an IPFIX collector such as "
     "\"tcp://192.0.2.1:4739\" or \"udp://[2001:db8::1]:4739\""},
    {"CollectorOverWhat", "[api]", "[flows]\ncollector = \"192.0.2.1:4739\"\n[api]",
     "64:13: flows.collector: \"192.0.2.1:4739\"; expected an IPFIX collector such as "
     "\"tcp://192.0.2.1:4739\" or \"udp://[2001:db8::1]:4739\""},
    {"HalfAnonymous", "[api]",
     "[flows]\ncollector = \"udp://192.0.2.1:4739\"\nanonymise = \"hash\"\n[api]",
     "65:13: flows.anonymise: \"hash\"; expected \"none\" or \"truncate\""},
    {"FlowsThatNeverLeave", "[api]",
     "[flows]\ncollector = \"udp://192.0.2.1:4739\"\nactive_seconds = 0\n[api]",
     "65:18: flows.active_seconds: 0; expected a whole number from 1 to 3600"},
    {"UnknownKeyOfFlows", "[api]",
     "[flows]\ncollector = \"udp://192.0.2.1:4739\"\nanonymize = \"none\"\n[api]",
     "65:1: flows.anonymize: unknown key; did you mean \"anonymise\"?"},
    {"DecisionsInNoFile", "[api]", "[decisions]\nfile_mb = 0\n[api]",
     "64:11: decisions.file_mb: 0; expected a whole number from 1 to 1024"},
    {"DecisionsForAges", "[api]", "[decisions]\nkeep_days = 36501\n[api]",
     "64:13: decisions.keep_days: 36501; expected a whole number from 0 to 36500"},
    {"TextForDecisionsSpace", "[api]", "[decisions]\nkeep_mb = \"1 GB\"\n[api]",
     "64:11: decisions.keep_mb: '1 GB'; expected a whole number from 0 to 100000000"},
    {"UnknownKeyOfDecisions", "[api]", "[decisions]\nkeep_day = 7\n[api]",
     "64:1: decisions.keep_day: unknown key; did you mean \"keep_days\"?"},
    {"NumberForDecisions", "# Gateway A", "decisions = 400 # Gateway A",
     "1:13: decisions: 400 is no section; expected a section [decisions]"},
    {"SectionForList", "[[uplink]]\nname = \"fibre\"", "[uplink]\nname = \"fibre\"",
     "26:1: Error while parsing table header: cannot redefine existing table 'uplink' as "
     "array-of-tables"},
    {"DeviceWithoutItsAddress", "interface = \"fibre\"",
     "device = \"net_ring0\"\nnext_hop_mac = \"02:00:00:00:00:01\"",
     "18:1: uplink[0].network_address: is missing; expected our address and the network's length, "
     "such as \"10.1.1.1/30\""},
    {"TextForConsent", "insecure_cleartext = true                 # clients",
     "insecure_cleartext = 1 # clients",
     "65:22: api.insecure_cleartext: 1 is neither; expected true or false"},
    {"NumberTooLarge", "cpu = 0", "cpu = 1024",
     "12:7: dataplane.cpu: 1024; expected a whole number from 0 to 1023"},
    {"NoWorkers", "cpu = 0", "workers = 0",
     "12:11: dataplane.workers: 0; expected a whole number from 1 to 16"},
    {"FewerCpusThanWorkers", "cpu = 0", "workers = 2\nworker_cpus = [1]",
     "13:15: dataplane.worker_cpus: 1 for 2 workers; expected one for each of dataplane.workers"},
    {"CpuAndCpus", "cpu = 0", "cpu = 0\nworker_cpus = [1]",
     "13:15: dataplane.worker_cpus: expected either cpu, of the first worker, or worker_cpus, of "
     "each"},
    {"TooLittleMemoryForWorkers", "cpu = 0", "workers = 4\nmemory_mb = 512",
     "13:13: dataplane.memory_mb: 512; expected a whole number from 1776 to 1048576"},
    {"NumberTooSmall", "cpu = 0", "memory_mb = 127",
     "12:13: dataplane.memory_mb: 127; expected a whole number from 458 to 1048576"},
    {"NegativeNumber", "cpu = 0", "cpu = -1",
     "12:7: dataplane.cpu: -1; expected a whole number from 0 to 1023"},
    {"FractionForNumber", "cpu = 0", "cpu = 0.5",
     "12:7: dataplane.cpu: 0.5; expected a whole number from 0 to 1023"},
    {"CpuListHoldsText", "cpu = 0", "control_cpus = [1, \"2\"]",
     "12:16: dataplane.control_cpus: '2'; expected a list of whole numbers from 0 to 1023"},
    {"PathNumberZero", "id = 1", "id = 0",
     "49:6: peer.path[0].id: 0; expected a whole number from 1 to 15"},
    {"PathNumberTooLarge", "id = 1", "id = 16",
     "49:6: peer.path[0].id: 16; expected a whole number from 1 to 15"},
    {"PathNumberTaken", "id = 2", "id = 1",
     "54:6: peer.path[1].id: 1 is taken by another path; expected another number"},
    {"BadAddress", "\"10.1.2.2\"", "\"10.1.2\"",
     "56:11: peer.path[1].address: \"10.1.2\"; expected an address such as \"10.1.1.1\" or "
     "\"2001:db8::1\", not a link-local one"},
    {"LinkLocalAddress", "\"10.1.2.2\"", "\"fe80::2\"",
     "56:11: peer.path[1].address: \"fe80::2\"; expected an address such as \"10.1.1.1\" or "
     "\"2001:db8::1\", not a link-local one"},
    {"AddressOfTheOtherFamily", "interface = \"fibre\"",
     "device = \"net_ring0\"\nnetwork_address_ipv6 = \"2001:db8::1/64\"\n"
     "next_hop_mac = \"02:00:00:00:00:01\"",
     "53:11: peer.path[0].address: 10.1.1.2; expected one of the family of uplink \"fibre\""},
    {"VlanOfAnInterface", "interface = \"fibre\"", "interface = \"fibre\"\nvlan = 7",
     "23:8: uplink[0].vlan: 7 is for a device; expected the kernel's interface of the VLAN, such "
     "as interface = \"fibre.7\""},
    {"NoVlan", "interface = \"fibre\"",
     "device = \"net_ring0\"\nnetwork_address = \"10.1.1.1/30\"\n"
     "next_hop_mac = \"02:00:00:00:00:01\"\nvlan = 4095",
     "25:8: uplink[0].vlan: 4095; expected a whole number from 1 to 4094"},
    {"BadGateway", "rate_up = \"50 Mbit/s\"",
     "rate_up = \"50 Mbit/s\"\ngateway = \"mobile.example\"",
     "32:11: uplink[1].gateway: \"mobile.example\"; expected an IPv4 address such as \"10.1.1.1\""},
    {"BadPrefix", "\"10.10.0.0/24\"", "\"10.10.0.0/33\"",
     "16:12: lan.prefixes: \"10.10.0.0/33\"; expected a list of prefixes such as "
     "[\"10.10.0.0/24\"], host bits zero"},
    {"Ipv6PrefixWithHostBits", "\"10.10.0.0/24\"", "\"10.10.0.0/24\", \"2001:db8::1/64\"",
     "16:12: lan.prefixes: \"2001:db8::1/64\"; expected a list of prefixes such as "
     "[\"10.10.0.0/24\"], host bits zero"},
    {"Ipv4ForIpv6Gateway", "prefixes = [\"10.10.0.0/24\"]",
     "prefixes = [\"10.10.0.0/24\"]\ngateway_ipv6 = \"10.10.0.9\"",
     "17:16: lan.gateway_ipv6: \"10.10.0.9\"; expected an IPv6 address such as \"2001:db8:1::1\""},
    {"Ipv6ForIpv4Gateway", "prefixes = [\"10.10.0.0/24\"]",
     "prefixes = [\"10.10.0.0/24\"]\ngateway = \"fe80::1\"",
     "17:11: lan.gateway: \"fe80::1\"; expected an IPv4 address such as \"10.1.1.1\""},
    {"DeviceWithoutItsIpv6Address", "interface = \"lan\"\nprefixes = [\"10.10.0.0/24\"]",
     "device = \"net_ring0\"\nnetwork_address = \"10.10.0.1/24\"\nnext_hop_mac = "
     "\"02:00:00:00:00:01\"\nprefixes = [\"2001:db8:1::/64\"]",
     "14:1: lan.network_address_ipv6: is missing; expected our IPv6 address and the network's "
     "length, such as \"2001:db8:1::1/64\""},
    {"DeviceWithAnIpv4AddressForIpv6", "interface = \"lan\"",
     "device = \"net_ring0\"\nnetwork_address = \"10.10.0.1/24\"\nnetwork_address_ipv6 = "
     "\"10.10.0.1/24\"\nnext_hop_mac = \"02:00:00:00:00:01\"",
     "17:24: lan.network_address_ipv6: \"10.10.0.1/24\"; expected our IPv6 address and the "
     "network's "
     "length, such as \"2001:db8:1::1/64\""},
    {"PrefixWithHostBits", "\"10.20.0.0/24\"", "\"10.20.0.1/24\"",
     "46:12: peer.prefixes: \"10.20.0.1/24\"; expected a list of prefixes such as "
     "[\"10.10.0.0/24\"], host bits zero"},
    {"BadRate", "\"20 Mbit/s\"", "\"20 MB/s\"",
     "39:11: uplink[2].rate_up: \"20 MB/s\"; expected a rate such as \"100 Mbit/s\", or \"auto\""},
    {"RateTwice", "rate_up = \"50 Mbit/s\"", "rate = \"auto\"\nrate_up = \"50 Mbit/s\"",
     "31:8: uplink[1].rate: expected either rate, or rate_up and rate_down"},
    {"BadEndpoint", "listen = \"10.10.0.1:8080\"", "listen = \"10.10.0.1\"",
     "64:10: api.listen: \"10.10.0.1\"; expected an address and port such as \"127.0.0.1:8080\""},
    {"MissingKey", "state_dir = \"/var/lib/anabranch/site-a\"", "#",
     "3:1: gateway.state_dir: is missing; expected a folder on a disk, for journal and ledger"},
    {"MissingRate", "rate_up = \"50 Mbit/s\"\n", "",
     "26:1: uplink[1].rate_up: is missing; expected a rate such as \"100 Mbit/s\", or \"auto\""},
    {"MissingPort", "interface = \"lan\"\n", "",
     "14:1: lan.interface: expected exactly one of interface (shared with the kernel) and device "
     "(DPDK's alone)"},
    {"PortOfWrongType", "interface = \"lan\"", "interface = 5",
     "15:13: lan.interface: 5 is no text; expected the name of a kernel interface"},
    {"PortOfBothKinds", "interface = \"lan\"", "interface = \"lan\"\ndevice = \"net_ring0\"",
     "15:13: lan.interface: expected exactly one of interface (shared with the kernel) and device "
     "(DPDK's alone)"},
    {"UplinkNameTaken", "[peer]\n",
     "[[uplink]]\nname = \"fibre\"\nprovider = \"skylink\"\nnetwork = \"skylink-leo\"\ninterface = "
     "\"dish\"\nrate_up = \"1 Mbit/s\"\nrate_down = \"1 Mbit/s\"\n\n[peer]\n",
     "43:8: uplink[3].name: \"fibre\" is taken by another uplink; expected another name"},
    {"InterfaceTaken", "interface = \"dsl\"", "interface = \"lan\"",
     "38:13: uplink[2].interface: \"lan\" is used by another port; expected a port of its own"},
    {"PathOfUnknownUplink", "uplink = \"dsl\"", "uplink = \"adsl\"",
     "60:10: peer.path[2].uplink: there is no uplink \"adsl\"; expected the name of an [[uplink]]"},
    {"SecondPathOfAnUplink", "uplink = \"dsl\"", "uplink = \"fibre\"",
     "60:10: peer.path[2].uplink: \"fibre\" has a path to this peer already; expected one path for "
     "each uplink"},
    {"PrefixOnBothSides", "prefixes = [\"10.20.0.0/24\"]", "prefixes = [\"10.10.0.128/25\"]",
     "46:12: peer.prefixes: 10.10.0.128/25 overlaps 10.10.0.0/24 of lan.prefixes; expected "
     "prefixes that are behind the peer only"},
    {"SessionOfNoKind", "session = \"connect\"", "session = \"call\"",
     "44:11: peer.session: \"call\"; expected \"connect\" or \"listen\""},
    {"NobodyToTrust", "fingerprint = \"sha256:", "# fingerprint = \"sha256:",
     "42:1: peer.fingerprint: expected exactly one of fingerprint (of the peer's certificate, "
     "printed by anabranch keygen) and ca (a file of CAs that vouch for it)"},
    {"TwoToTrust", "session = \"connect\"", "session = \"connect\"\nca = \"fleet.pem\"",
     "46:15: peer.fingerprint: expected exactly one of fingerprint (of the peer's certificate, "
     "printed by anabranch keygen) and ca (a file of CAs that vouch for it)"},
    {"FingerprintCut", "sha256:0", "sha256:",
     "45:15: peer.fingerprint: "
     "\"sha256:000000000000000000000000000000000000000000000000000000000000"
     "000\"; expected \"sha256:\" and 64 hexadecimal digits, as anabranch keygen printed them at "
     "the "
     "peer"},
    {"NoKey", "key = \"site-a.key\"\n", "",
     "3:1: gateway.key: is missing; expected the key of the certificate, a file that anabranch "
     "keygen made"},
    {"UnknownCipher", "session = \"connect\"",
     "session = \"connect\"\nciphers = [\"aes-128-gcm\", \"rot13\"]",
     "45:11: peer.ciphers: \"rot13\"; expected aes-128-gcm, aes-256-gcm or chacha20-poly1305"},
    {"KeysForTooLong", "session = \"connect\"", "session = \"connect\"\nrekey_s = 4000",
     "45:11: peer.rekey_s: 4000; expected a whole number from 1 to 3600"},
    {"NoAddressAtTheConnectingSide", "address = \"10.1.2.2\"\n", "",
     "53:1: peer.path[1].address: is missing; expected an address such as \"10.1.1.1\" or "
     "\"2001:db8::1\", not a link-local one"},
    {"ApiOpenToOthers", "insecure_cleartext = true                 # clients", "# clients",
     "64:10: api.listen: 10.10.0.1:8080 can be reached by others, without encryption or password; "
     "expected an address in 127.0.0.0/8, or insecure_cleartext = true"},
    {"SyntaxError", "cpu = 0", "cpu = = 0",
     "12:7: Error while parsing value: could not determine value type"},
    {"UnclosedText", "name = \"site-a\"", "name = \"site-a",
     "4:15: Error while parsing string: unescaped control characters other than TAB (U+0009) are "
     "explicitly prohibited"},
    {"KeyTwice", "cpu = 0", "cpu = 0\ncpu = 1",
     "13:7: Error while parsing key-value pair: cannot redefine existing integer 'cpu'"},
    {"NotUtf8", "# Gateway A", "# \xff", "1:2: Encountered invalid utf-8 sequence"},
};

class ConfigMistake : public testing::TestWithParam<Mistake> {};

TEST_P(ConfigMistake, IsToldOnceAtItsPlaceWithWhatIsExpected) {
  const Mistake& m = GetParam();
  const auto config =
      parse_config(replaced(text_of(example("site-a.toml")), m.from, m.to), "gateway.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error(), std::string("gateway.toml:") + m.message);
}

INSTANTIATE_TEST_SUITE_P(OneOf, ConfigMistake, testing::ValuesIn(kMistakes),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace anabranch::control
