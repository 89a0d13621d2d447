// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/mss.h"

#include <gtest/gtest.h>

#include "dataplane/bytes.h"
#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {
namespace {

constexpr uint16_t kMax = 1394;

bool clamp(Bytes& ip) {
  return clamp_mss(ip, parse_ipv4(ip), kMax);
}

Bytes syn_with(Bytes options) {
  while (options.size() % 4 != 0) options.push_back(0);
  return packet().tcp(1234, 80).syn().tcp_options(std::move(options)).ip();
}

TEST(Mss, IsLoweredAndTheChecksumStaysRight) {
  Bytes ip = syn_with({2, 4, 0x05, 0xb4});
  ASSERT_TRUE(clamp(ip));
  EXPECT_EQ(load_be16(&ip[42]), kMax);
  EXPECT_TRUE(checksums_are_right(ip));
}

TEST(Mss, AtAnOddOffsetIsLoweredAndTheChecksumStaysRight) {
  for (unsigned value = kMax + 1; value < 65536; value += 7) {
    Bytes ip =
        syn_with({1, 2, 4, static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value), 1, 1, 0});
    ASSERT_TRUE(clamp(ip)) << value;
    EXPECT_EQ(load_be16(&ip[43]), kMax);
    ASSERT_TRUE(checksums_are_right(ip)) << value;
  }
}

TEST(Mss, BehindOtherOptionsIsFound) {
  Bytes ip = syn_with({4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 4, 0x23, 0x28, 0});
  ASSERT_TRUE(clamp(ip));
  EXPECT_TRUE(checksums_are_right(ip));
}

TEST(Mss, ThatFitsIsLeftAlone) {
  for (const uint16_t fits : {uint16_t{536}, kMax}) {
    Bytes ip = syn_with({2, 4, static_cast<uint8_t>(fits >> 8), static_cast<uint8_t>(fits)});
    const Bytes before = ip;
    EXPECT_FALSE(clamp(ip));
    EXPECT_EQ(ip, before);
  }
}

TEST(Mss, OfASegmentThatIsNoSynIsLeftAlone) {
  Bytes data = packet().tcp(1, 2).tcp_options({2, 4, 0x05, 0xb4}).ip();
  EXPECT_FALSE(clamp(data));
  Bytes datagram = packet().udp(1, 2).payload(40).ip();
  EXPECT_FALSE(clamp(datagram));
  Bytes fragment =
      packet().tcp(1, 2).syn().tcp_options({2, 4, 0x05, 0xb4}).fragment(0, true).payload(8).ip();
  EXPECT_FALSE(clamp(fragment));
}

TEST(Mss, OfAConnectionThatAnIcmpErrorQuotesIsLeftAlone) {
  // The quoted packet's header, taken for TCP's, has SYN set and the option among its addresses.
  Bytes quoted = packet().from("2.4.255.255").tcp(1234, 80).syn().identification(0x7002).ip();
  Bytes error = packet().icmp_error(3, 4, quoted).ip();
  const Bytes before = error;
  EXPECT_FALSE(clamp(error));
  EXPECT_EQ(error, before);
}

TEST(Mss, OfIpv6IsLoweredBehindItsExtensionHeaders) {
  for (const bool extended : {false, true}) {
    auto builder = packet6().tcp(1234, 80).syn().tcp_options({2, 4, 0x05, 0xb4});
    if (extended) builder.extension(60, Bytes(7, 0));
    Bytes ip = builder.ip();
    ASSERT_TRUE(clamp_mss(ip, parse_ipv6(ip), kMax));
    EXPECT_EQ(load_be16(&ip[extended ? 70 : 62]), kMax);
    if (!extended) {
      EXPECT_TRUE(checksums_are_right(ip));
    }
  }
}

TEST(Mss, OfMalformedOptionsIsLeftAlone) {
  for (const Bytes& options : {Bytes{0, 2, 4, 0x05, 0xb4},            // after the end of options
                               Bytes{2, 0, 0x05, 0xb4},               // length 0
                               Bytes{8, 1, 2, 4, 0x05, 0xb4, 1, 1},   // length 1
                               Bytes{8, 40, 2, 4, 0x05, 0xb4, 1, 1},  // beyond the header
                               Bytes{2, 3, 0x05, 0xb4},               // an MSS of one octet
                               Bytes{1, 1, 1, 2}}) {                  // cut in the middle
    Bytes ip = syn_with(options);
    const Bytes before = ip;
    EXPECT_FALSE(clamp(ip));
    EXPECT_EQ(ip, before);
  }
  Bytes lies = syn_with({2, 4, 0x05, 0xb4});
  lies[32] = 0xf0;  // a TCP header longer than the packet
  EXPECT_FALSE(clamp(lies));
}

}  // namespace
}  // namespace anabranch::dataplane
