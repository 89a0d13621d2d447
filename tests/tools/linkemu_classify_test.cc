// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/classify.h"

#include <gtest/gtest.h>

#include <vector>

namespace anabranch::linkemu {
namespace {

constexpr uint16_t kTunnelPort = 9188;

struct Ipv4 {
  uint16_t total_length = 128;
  uint16_t fragment = 0;
  uint8_t protocol = 17;
  uint16_t source = 1000;
  uint16_t destination = 2000;
  uint8_t header_words = 5;
};

void store_be16(std::vector<uint8_t>& octets, size_t at, size_t value) {
  octets[at] = static_cast<uint8_t>(value >> 8);
  octets[at + 1] = static_cast<uint8_t>(value);
}

std::vector<uint8_t> ethernet(uint16_t type, size_t payload) {
  std::vector<uint8_t> frame(14 + payload);
  store_be16(frame, 12, type);
  return frame;
}

std::vector<uint8_t> ipv4(const Ipv4& packet) {
  auto frame = ethernet(0x0800, packet.total_length);
  const size_t ports = 14 + packet.header_words * size_t{4};
  frame[14] = static_cast<uint8_t>(0x40 | packet.header_words);
  store_be16(frame, 16, packet.total_length);
  store_be16(frame, 20, packet.fragment);
  frame[23] = packet.protocol;
  store_be16(frame, ports, packet.source);
  store_be16(frame, ports + 2, packet.destination);
  return frame;
}

Label label_of(const std::vector<uint8_t>& frame) {
  return classify(frame, static_cast<uint32_t>(frame.size()), kTunnelPort);
}

TEST(Classify, UdpFromOrToTheTunnelPortIsTunnel) {
  EXPECT_EQ(label_of(ipv4({.source = kTunnelPort})).traffic, TrafficClass::tunnel);
  EXPECT_EQ(label_of(ipv4({.destination = kTunnelPort})).traffic, TrafficClass::tunnel);
  EXPECT_EQ(label_of(ipv4({.destination = kTunnelPort, .header_words = 15})).traffic,
            TrafficClass::tunnel);
}

TEST(Classify, OtherPortsAndOtherProtocolsAreKernel) {
  EXPECT_EQ(label_of(ipv4({})).traffic, TrafficClass::kernel);
  EXPECT_EQ(label_of(ipv4({.protocol = 6, .destination = kTunnelPort})).traffic,
            TrafficClass::kernel);
}

TEST(Classify, OnlyTheFirstFragmentHasPorts) {
  constexpr uint16_t kMoreFragments = 0x2000;
  EXPECT_EQ(label_of(ipv4({.fragment = kMoreFragments, .source = kTunnelPort})).traffic,
            TrafficClass::tunnel);
  EXPECT_EQ(label_of(ipv4({.fragment = 1, .source = kTunnelPort})).traffic, TrafficClass::kernel);
  EXPECT_EQ(label_of(ipv4({.fragment = kMoreFragments | 185, .source = kTunnelPort})).traffic,
            TrafficClass::kernel);
}

TEST(Classify, OctetsAreThoseOfTheIpPacketWithoutThePaddingOfTheFrame) {
  auto frame = ipv4({.total_length = 40});
  frame.resize(60);
  EXPECT_EQ(label_of(frame).octets, 40u);
}

TEST(Classify, Ipv6IsKernelAndCountsItsHeader) {
  auto frame = ethernet(0x86dd, 40 + 8);
  frame[14] = 0x60;
  store_be16(frame, 18, 8);
  EXPECT_EQ(label_of(frame).traffic, TrafficClass::kernel);
  EXPECT_EQ(label_of(frame).octets, 48u);
}

TEST(Classify, UdpOfTheTunnelsPortIsTheTunnelOverIpv6Too) {
  auto frame = ethernet(0x86dd, 40 + 8);
  frame[14] = 0x60;
  store_be16(frame, 18, 8);
  frame[20] = 17;
  store_be16(frame, 56, kTunnelPort);
  EXPECT_EQ(label_of(frame).traffic, TrafficClass::tunnel);
  EXPECT_EQ(label_of(frame).octets, 48u);
  frame[20] = 6;
  EXPECT_EQ(label_of(frame).traffic, TrafficClass::kernel);
}

TEST(Classify, AVlansTagIsLookedBehind) {
  auto frame = ipv4({.total_length = 60, .source = kTunnelPort});
  const uint8_t tag[] = {0x81, 0x00, 0x00, 0x07};
  frame.insert(frame.begin() + 12, std::begin(tag), std::end(tag));
  EXPECT_EQ(label_of(frame).traffic, TrafficClass::tunnel);
  EXPECT_EQ(label_of(frame).octets, 60u);
}

TEST(Classify, OtherFramesCountWhatFollowsEthernet) {
  for (const uint16_t type : {0x0806, 0x8100, 0x88cc}) {
    const auto frame = ethernet(type, 46);
    EXPECT_EQ(label_of(frame).traffic, TrafficClass::other);
    EXPECT_EQ(label_of(frame).octets, 46u);
  }
}

TEST(Classify, NothingIsReadBehindTheEndOfAShortFrame) {
  for (const auto& whole : {ipv4({.source = kTunnelPort}), ethernet(0x86dd, 48)}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      // A vector of its own for each size, so that a sanitizer sees a read too far.
      const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<long>(size));
      const Label label = label_of(cut);
      if (size < 14 + 20) {
        EXPECT_EQ(label.traffic, TrafficClass::other) << size;
        EXPECT_EQ(label.octets, size < 14 ? 0 : size - 14) << size;
      } else if (size < 14 + 24) {
        EXPECT_NE(label.traffic, TrafficClass::tunnel) << size;
      }
    }
  }
}

}  // namespace
}  // namespace anabranch::linkemu
