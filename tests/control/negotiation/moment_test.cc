// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/moment.h"

#include <gtest/gtest.h>

namespace anabranch::negotiation {
namespace {

TEST(Moment, IsReadInAnyZone) {
  // date -u -d 2026-11-27T09:00:00Z +%s
  constexpr int64_t kSeconds = 1795770000;
  for (const char* text :
       {"2026-11-27T09:00:00Z", "2026-11-27t09:00:00z", "2026-11-27T10:00:00+01:00",
        "2026-11-27T00:30:00-08:30", "2026-11-27T09:00:00.000Z"})
    EXPECT_EQ(parse_moment(text), kSeconds * kSecondNs) << text;
  EXPECT_EQ(parse_moment("2026-11-27T09:00:00.25Z"), kSeconds * kSecondNs + kSecondNs / 4);
  EXPECT_EQ(parse_moment("2026-11-27T08:59:60Z"), parse_moment("2026-11-27T08:59:59Z"));
}

TEST(Moment, IsWrittenAsItIsRead) {
  for (const char* text :
       {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-11-27T09:00:00.250Z"})
    EXPECT_EQ(moment_text(*parse_moment(text)), text);
}

TEST(Moment, RefusesWhatIsNone) {
  for (const char* text :
       {"", "soon", "2026-11-27", "2026-11-27T09:00:00", "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-11-27T24:00:00Z", "2026-11-27T09:60:00Z",
        "2026-11-27T09:00:00+1:00", "2026-11-27T09:00:00.Z", "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z", "2026-11-27T09:00:00Zx", "-026-11-27T09:00:00Z"})
    EXPECT_EQ(parse_moment(text), std::nullopt) << text;
}

}  // namespace
}  // namespace anabranch::negotiation
