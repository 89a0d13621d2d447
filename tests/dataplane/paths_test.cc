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
  path.local = local;
  path.remote = remote;
  path.remote_port = 9188;
  make_header(path, kOurs, kNextHop, 9188);
  return path;
}

TEST(PathHeader, NamesBothEndsAndForbidsFragmentation) {
  Path path = path_between(address("192.0.2.1"), address("198.51.100.1"));
  Bytes frame(path.header.begin(), path.header.end());
  finish_header(frame.data(), 566);
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
    finish_header(frame.data(), static_cast<uint16_t>(67 + random() % 65000));
    ASSERT_TRUE(checksum_is_right(std::span(frame).subspan(14, 20)));
  }
}

}  // namespace
}  // namespace anabranch::dataplane
