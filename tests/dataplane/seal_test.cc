// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/seal.h"

#include <gtest/gtest.h>

#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {
namespace {

constexpr size_t kHeaders = kOuterHeader + kInnerHeader;

Bytes sealed(const Bytes& clear) {
  Bytes segment(kHeaders + clear.size() + kTag, 0xcc);
  store_outer(segment.data(), {SegmentType::data, 0, 1, 0, 1025, 42});
  store_inner(&segment[kOuterHeader], {3, 99});
  seal(segment, kHeaders, clear);
  return segment;
}

TEST(Seal, OpensWhatItSealedAndKeepsTheContent) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{20}, size_t{1408}}) {
    const Bytes clear = packet().payload(size, 5).ip();
    const Bytes segment = sealed(clear);
    ASSERT_TRUE(open(segment));
    EXPECT_TRUE(std::equal(clear.begin(), clear.end(), segment.begin() + kHeaders));
  }
}

TEST(Seal, FindsEveryOctetThatWasChanged) {
  const Bytes segment = sealed(packet().payload(64, 1).ip());
  for (size_t i = 0; i < segment.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes forged = segment;
      forged[i] = static_cast<uint8_t>(forged[i] ^ 1u << bit);
      EXPECT_FALSE(open(forged)) << "octet " << i << " bit " << bit;
    }
  }
}

TEST(Seal, FindsEveryCutAndWhatWasAppended) {
  const Bytes segment = sealed(packet().payload(64, 2).ip());
  for (size_t length = 0; length < segment.size(); ++length) {
    const Bytes cut(segment.begin(), segment.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(open(cut)) << length;
  }
  EXPECT_FALSE(open(segment + Bytes{0}));
}

TEST(Seal, UsesTheCastagnoliPolynomial) {
  // RFC 3720 B.4: the CRC of 32 octets of zeros is aa 36 91 8a, stored least significant first.
  EXPECT_EQ(crc32c(Bytes(32, 0)), 0x8a9136aau);
}

}  // namespace
}  // namespace anabranch::dataplane
