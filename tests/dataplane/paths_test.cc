// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/paths.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {
namespace {

constexpr Mac kOurs{2, 0, 0, 0, 1, 1}, kNextHop{2, 0, 0, 0, 1, 254};

Path path_between(uint32_t local, uint32_t remote) {
  Path path;
  path.local = address_of(local);
  path.remote = {address_of(remote), 9188};
  make_header(path, kOurs, kNextHop, 9188);
  return path;
}

TEST(PathHeader, NamesBothEndsAndForbidsFragmentation) {
  Path path = path_between(address("192.0.2.1"), address("198.51.100.1"));
  ASSERT_EQ(path.header_length(), 42u);
  Bytes frame(path.header.begin(), path.header.end());
  finish_header(&frame[14], 566);
  EXPECT_TRUE(std::equal(kNextHop.begin(), kNextHop.end(), frame.begin()));
  EXPECT_TRUE(std::equal(kOurs.begin(), kOurs.end(), frame.begin() + 6));
  EXPECT_EQ(load_be16(&frame[12]), 0x0800);
  EXPECT_EQ(load_be16(&frame[14 + 2]), 566);
  EXPECT_EQ(load_be16(&frame[14 + 4]), 0);
  EXPECT_EQ(load_be16(&frame[14 + 6]), 0x4000);
  EXPECT_EQ(load_be32(&frame[14 + 12]), address("192.0.2.1"));
  EXPECT_EQ(load_be32(&frame[14 + 16]), address("198.51.100.1"));
  EXPECT_EQ(load_be16(&frame[34]), 9188);
  EXPECT_EQ(load_be16(&frame[36]), 9188);
  EXPECT_EQ(load_be16(&frame[38]), 546);
  EXPECT_EQ(load_be16(&frame[40]), 0);
}

TEST(PathHeader, HasARightChecksumForEveryLength) {
  std::mt19937 random(3);
  for (int round = 0; round < 50000; ++round) {
    const Path path = path_between(random(), random());
    Bytes frame(path.header.begin(), path.header.end());
    finish_header(&frame[14], static_cast<uint16_t>(67 + random() % 65000));
    ASSERT_TRUE(checksum_is_right(std::span(frame).subspan(14, 20)));
  }
}

Path path6_between(Uint128 local, Uint128 remote) {
  Path path;
  path.local = local;
  path.remote = {remote, 9188};
  make_header(path, kOurs, kNextHop, 9188);
  return path;
}

TEST(PathHeader, OfIpv6NamesBothEnds) {
  const Path path = path6_between(address6("2001:db8::1"), address6("2001:db8:9::2"));
  ASSERT_EQ(path.header_length(), 62u);
  Bytes frame(path.header.begin(), path.header.end());
  finish_header(&frame[14], 600);
  EXPECT_EQ(load_be16(&frame[12]), 0x86dd);
  EXPECT_EQ(frame[14], 0x60);
  EXPECT_EQ(load_be16(&frame[14 + 4]), 560) << "payload";
  EXPECT_EQ(frame[14 + 6], 17);
  EXPECT_EQ(load_be128(&frame[14 + 8]), address6("2001:db8::1"));
  EXPECT_EQ(load_be128(&frame[14 + 24]), address6("2001:db8:9::2"));
  EXPECT_EQ(load_be16(&frame[54]), 9188);
  EXPECT_EQ(load_be16(&frame[56]), 9188);
  EXPECT_EQ(load_be16(&frame[58]), 560);
}

TEST(PathHeader, OfAVlanHasItsTag) {
  Path path;
  path.local = address_of(address("192.0.2.1"));
  path.remote = {address_of(address("192.0.2.2")), 9188};
  path.vlan = 1234;
  make_header(path, kOurs, kNextHop, 9188);
  ASSERT_EQ(path.header_length(), 46u);
  EXPECT_EQ(load_be16(&path.header[12]), 0x8100);
  EXPECT_EQ(load_be16(&path.header[14]), 1234);
  EXPECT_EQ(load_be16(&path.header[16]), 0x0800);
  EXPECT_EQ(path.header[18], 0x45);
}

// By the sum of all that is covered (RFC 8200 8.1), with 64 bits and no folding on the way.
uint16_t sum_of(std::span<const uint8_t> ip) {
  uint64_t sum = ip.size() - 40 + 17;
  for (size_t i = 8; i < ip.size(); ++i) sum += uint64_t{ip[i]} << (i % 2 == 0 ? 8 : 0);
  return static_cast<uint16_t>(sum % 0xffff);
}

TEST(PathHeader, OfIpv6HasARightChecksumWhateverItCarries) {
  std::mt19937 random(4);
  const auto address = [&] { return Uint128{0x20010db8} << 96 | random(); };
  for (int round = 0; round < 3000; ++round) {
    const Path path = path6_between(address(), address());
    Bytes frame(path.header.begin(), path.header.begin() + 62);
    for (uint32_t left = random() % 1500; left != 0; --left)
      frame.push_back(static_cast<uint8_t>(round % 3 == 0 ? 0 : random()));
    const auto length = static_cast<uint16_t>(frame.size() - 14);
    finish_header(&frame[14], length);
    finish_checksum6(&frame[14], length);
    ASSERT_EQ(sum_of(std::span(frame).subspan(14)), 0);
    ASSERT_NE(load_be16(&frame[60]), 0) << "would be none";
  }
}

}  // namespace
}  // namespace anabranch::dataplane
