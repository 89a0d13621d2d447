// SPDX-License-Identifier: BSD-3-Clause
#include "control/kernel/interface.h"

#include "tests/control/kernel/namespace.h"

namespace anabranch::control {
namespace {

class Interface : public TwoNamespaces {
 protected:
  void expect_refused(const std::string& name, const std::string& why) {
    const auto facts = interface_facts(name);
    ASSERT_FALSE(facts) << name;
    EXPECT_NE(facts.error().find("interface " + name), std::string::npos) << facts.error();
    EXPECT_NE(facts.error().find(why), std::string::npos) << facts.error();
  }
};

TEST_F(Interface, HasTheFactsTheKernelKnows) {
  sh("ip link set here address 02:00:00:00:00:07 mtu 1400");
  const auto facts = interface_facts("here");
  ASSERT_TRUE(facts) << facts.error();
  EXPECT_GT(facts->index, 0);
  EXPECT_EQ(facts->mac, (MacAddress{2, 0, 0, 0, 0, 7}));
  EXPECT_EQ(facts->mtu, 1400);
  EXPECT_EQ(to_string(facts->address), "10.1.1.1");
  EXPECT_EQ(to_string(facts->network), "10.1.1.0/30");
  EXPECT_FALSE(facts->address6.is_given()) << "a link-local one is no router's";
}

TEST_F(Interface, HasAnIpv6AddressThatIsNotTheLinksAlone) {
  sh("ip address add 2001:db8:1::7/56 dev here nodad");
  const auto facts = interface_facts("here");
  ASSERT_TRUE(facts) << facts.error();
  EXPECT_EQ(to_string(facts->address6), "2001:db8:1::7");
  EXPECT_EQ(to_string(facts->network6), "2001:db8:1::/56");
  EXPECT_EQ(to_string(facts->address), "10.1.1.1");
}

TEST_F(Interface, ThatCannotBeAPortIsRefusedWithTheReason) {
  expect_refused("nowhere", "does not exist");
  expect_refused("an-interface-with-a-name-that-is-too-long", "does not exist");
  sh("ip link set here mtu 9000");
  expect_refused("here", "MTU");
  sh("ip link set here mtu 1500; ip address flush dev here");
  expect_refused("here", "no address");
  sh("ip address add 10.1.1.1/30 dev here; ip link set here down");
  expect_refused("here", "down");
  expect_refused("lo", "Ethernet");
}

TEST_F(Interface, HandsOverPacketsAsTheyAreOnTheWire) {
  sh("ethtool -K here gro on");
  ASSERT_TRUE(forbid_merging("here"));
  EXPECT_NE(sh("ethtool -k here").find("generic-receive-offload: off"), std::string::npos);
  EXPECT_FALSE(forbid_merging("nowhere"));
}

}  // namespace
}  // namespace anabranch::control
