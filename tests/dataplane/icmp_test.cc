// SPDX-License-Identifier: BSD-3-Clause
// What hosts are told about packets that could not be carried.
#include "dataplane/bytes.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

class IcmpErrors : public TwoGateways {
 protected:
  // One answer came out on a's LAN: of this type and code, from `router`, about `quoted`.
  void expect_answer(uint8_t type, uint8_t code, uint32_t router, const Bytes& quoted,
                     uint16_t mtu = 0) {
    const auto received = a().hosts_received();
    ASSERT_EQ(received.size(), 1u);
    const Bytes& error = received[0];
    EXPECT_TRUE(checksums_are_right(error));
    EXPECT_EQ(error[9], 1);
    EXPECT_EQ(load_be32(&error[12]), router);
    EXPECT_EQ(load_be32(&error[16]), address("10.10.0.2"));
    EXPECT_EQ(error[20], type);
    EXPECT_EQ(error[21], code);
    EXPECT_EQ(load_be32(&error[24]), mtu);
    EXPECT_LE(error.size(), 576u);
    const Bytes quote(error.begin() + 28, error.end());
    EXPECT_EQ(quote.size(), std::min<size_t>(quoted.size(), 548));
    EXPECT_TRUE(std::equal(quote.begin(), quote.end(), quoted.begin()));
  }
  // A host's packet dies as `drop`, and nobody is told.
  void expect_silence(const Bytes& ip, Drop drop) {
    const uint64_t before = a().drops(drop);
    a().host_sends(ip);
    step();
    EXPECT_EQ(a().drops(drop), before + 1);
    EXPECT_TRUE(a().hosts_received().empty());
  }
};

TEST_F(IcmpErrors, SayThatTimeIsExceededAtTheFirstGateway) {
  const Bytes sent = datagram(1, 100).ttl(1).ip();
  a().host_sends(sent);
  step();
  expect_answer(11, 0, a().lan_address(), sent);
  EXPECT_EQ(a().drops(Drop::ttl_exceeded), 1u);
}

TEST_F(IcmpErrors, SayThatTimeIsExceededAtTheSecondGatewayThroughTheTunnel) {
  a().host_sends(datagram(1).ttl(2).ip());
  settle();
  expect_answer(11, 0, b().lan_address(), datagram(1).ttl(1).ip());
  EXPECT_EQ(b().drops(Drop::ttl_exceeded), 1u);
  EXPECT_TRUE(b().hosts_received().empty());
}

TEST_F(IcmpErrors, SayWhichSizeFitsThePaths) {
  const Bytes sent = datagram(1, 1472).dont_fragment().ip();
  a().host_sends(sent);
  step();
  expect_answer(3, 4, a().lan_address(), sent, kInnerMtu);
  EXPECT_EQ(a().drops(Drop::too_big), 1u);
}

TEST_F(IcmpErrors, SayWhichSizeFitsTheFarLan) {
  auto paths = b().paths();
  paths.lan_mtu = 1280;
  b().plans.publish(std::make_unique<const PathTable>(paths));
  auto sent = datagram(1, 1300).dont_fragment();
  a().host_sends(sent.ip());
  settle();
  expect_answer(3, 4, b().lan_address(), sent.ttl(63).ip(), 1280);
  EXPECT_EQ(b().drops(Drop::too_big), 1u);
}

TEST_F(IcmpErrors, SayThatNoServiceWantsAFlow) {
  a().plans.publish(std::make_unique<const Ruleset>(Ruleset{.epoch = 50, .rules = {}}));
  const Bytes sent = datagram(1).ip();
  a().host_sends(sent);
  step();
  expect_answer(3, 13, a().lan_address(), sent);
  EXPECT_EQ(a().drops(Drop::no_service), 1u);
}

TEST_F(IcmpErrors, AreNeverAboutIcmpErrors) {
  const Bytes quoted = packet().from("10.20.0.2").to("10.10.0.2").udp(1, 2).ip();
  for (const uint8_t type : {3, 4, 5, 11, 12}) {
    expect_silence(packet().icmp_error(type, 0, quoted).ttl(1).ip(), Drop::ttl_exceeded);
  }
  a().host_sends(packet().echo_request(1, 1).ttl(1).ip());
  step();
  EXPECT_EQ(a().hosts_received().size(), 1u) << "an echo request is no error";
}

TEST_F(IcmpErrors, AreNeverAboutLaterFragmentsOrWithoutASingleSender) {
  expect_silence(packet().udp(1, 2).payload(64).fragment(64, true).ttl(1).ip(), Drop::ttl_exceeded);
  for (const char* nobody : {"0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255"}) {
    expect_silence(packet().from(nobody).udp(1, 2).ttl(1).ip(), Drop::ttl_exceeded);
  }
  expect_silence(packet().to("224.0.0.5").udp(1, 2).ttl(1).ip(), Drop::ttl_exceeded);
  a().host_sends(packet().udp(1, 2).payload(64).fragment(0, true).ttl(1).ip());
  step();
  EXPECT_EQ(a().hosts_received().size(), 1u) << "the first fragment has a header to quote";
}

TEST_F(IcmpErrors, AreLimitedToAHundredASecond) {
  for (uint32_t n = 0; n < 150; ++n) a().host_sends(datagram(n).ttl(1).ip());
  step();
  // All are of one flow, and so of one worker, which has its part.
  const size_t answers = 100u / gateway_workers();
  EXPECT_EQ(a().hosts_received().size(), answers);
  EXPECT_EQ(a().drops(Drop::icmp_limited), 150u - answers);
  EXPECT_EQ(a().drops(Drop::ttl_exceeded), 150u);
  run_for(kSecond);
  a().host_sends(datagram(1).ttl(1).ip());
  step();
  EXPECT_EQ(a().hosts_received().size(), 1u);
}

}  // namespace
}  // namespace anabranch::dataplane
