// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/wire.h"

#include <gtest/gtest.h>

#include <array>

namespace anabranch::dataplane {
namespace {

TEST(Wire, PutsTheOuterHeaderWhereTheFormatSays) {
  std::array<uint8_t, kOuterHeader> octets{};
  store_outer(octets.data(), {SegmentType::beat, 3, 15, 1, 0x01020304, 0x1112131415161718});
  EXPECT_EQ(octets, (std::array<uint8_t, kOuterHeader>{0x12, 3, 15, 1, 1, 2, 3, 4, 0x11, 0x12, 0x13,
                                                       0x14, 0x15, 0x16, 0x17, 0x18}));
}

TEST(Wire, PutsTheInnerHeaderWhereTheFormatSays) {
  std::array<uint8_t, kInnerHeader> octets{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  store_inner(octets.data(), {.lane = 200, .sn = 0xfffefdfc});
  EXPECT_EQ(octets, (std::array<uint8_t, kInnerHeader>{0, 200, 0xff, 0xfe, 0xfd, 0xfc}));
}

TEST(Wire, PutsTheOffsetOfAFragmentBehindTheInnerHeader) {
  std::array<uint8_t, kFragmentHeader> octets{};
  store_inner(octets.data(),
              {.flags = kInnerFragment | kInnerMore, .lane = 5, .sn = 6, .offset = 0x0102});
  EXPECT_EQ(octets, (std::array<uint8_t, kFragmentHeader>{3, 5, 0, 0, 0, 6, 1, 2}));
}

TEST(Wire, LoadsWhatItStored) {
  for (const auto type : {SegmentType::data, SegmentType::beat}) {
    std::array<uint8_t, kOuterHeader> octets{};
    store_outer(octets.data(), {type, 255, 9, 7, UINT32_MAX - 1, UINT64_MAX - 2});
    Outer outer;
    ASSERT_TRUE(load_outer(octets.data(), outer));
    EXPECT_EQ(outer.type, type);
    EXPECT_EQ(outer.worker, 255);
    EXPECT_EQ(outer.path, 9);
    EXPECT_EQ(outer.key_phase, 7);
    EXPECT_EQ(outer.receiver_index, UINT32_MAX - 1);
    EXPECT_EQ(outer.packet_number, UINT64_MAX - 2);
  }
  for (const uint8_t flags : {kInnerEven, uint8_t{kInnerFragment | kInnerMore | kInnerRepair}}) {
    std::array<uint8_t, kFragmentHeader + 1> octets{};
    store_inner(octets.data(), {.flags = flags, .lane = 17, .sn = 4'000'000'000u, .offset = 1000});
    Inner inner;
    ASSERT_TRUE(load_inner(octets, inner));
    EXPECT_EQ(inner.flags, flags);
    EXPECT_EQ(inner.lane, 17);
    EXPECT_EQ(inner.sn, 4'000'000'000u);
    EXPECT_EQ(inner.offset, inner.has(kInnerFragment) ? 1000 : 0);
  }
}

TEST(Wire, RefusesEveryOtherVersionAndType) {
  std::array<uint8_t, kOuterHeader> octets{};
  for (unsigned first = 0; first < 256; ++first) {
    octets[0] = static_cast<uint8_t>(first);
    Outer outer;
    EXPECT_EQ(load_outer(octets.data(), outer), first >= 0x11 && first <= 0x16) << first;
  }
}

TEST(Wire, RefusesFlagsOfALaterVersionAndMoreFragmentsOfNone) {
  std::array<uint8_t, kFragmentHeader + 1> octets{};
  for (unsigned flags = 0; flags < 256; ++flags) {
    octets[0] = static_cast<uint8_t>(flags);
    Inner inner;
    EXPECT_EQ(load_inner(octets, inner), (flags & ~0x1fu) == 0 && (flags & 3u) != 2) << flags;
  }
}

TEST(Wire, RefusesAHeaderWithNothingBehindIt) {
  const std::array<uint8_t, kFragmentHeader> fragment{kInnerFragment};
  const std::array<uint8_t, kInnerHeader> whole{};
  Inner inner;
  EXPECT_FALSE(load_inner(fragment, inner));
  EXPECT_FALSE(load_inner(whole, inner));
}

}  // namespace
}  // namespace anabranch::dataplane
