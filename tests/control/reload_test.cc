// SPDX-License-Identifier: BSD-3-Clause
// A configuration read again: what is another, and what of it may change at once.
#include "control/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/example.h"

namespace anabranch::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Config read_with(const char* from, const char* to) {
  const auto config =
      parse_config(replaced(text_of(example("site-a.toml")), from, to), "gateway.toml");
  EXPECT_TRUE(config) << (config ? "" : config.error());
  return config.value_or(Config{});
}

ConfigChanges changes_by(const char* from, const char* to) {
  const std::string before = text_of(example("site-a.toml")), after = replaced(before, from, to);
  EXPECT_TRUE(parse_config(after, "gateway.toml"));
  return changes_between(fields_of(before), fields_of(after));
}

TEST(Reload, WhatIsTheSameIsNoChange) {
  const ConfigChanges none = changes_by("# Gateway A", "# The first gateway");
  EXPECT_THAT(none.applied, IsEmpty());
  EXPECT_THAT(none.need_restart, IsEmpty());
}

TEST(Reload, RatesOfAnUplinkAreKnownByItsName) {
  EXPECT_THAT(changes_by("rate_up = \"50 Mbit/s\"", "rate_up = \"60 Mbit/s\"").applied,
              ElementsAre("uplink.mobile.rate_up"));
  const ConfigChanges automatic =
      changes_by("rate_up = \"50 Mbit/s\"\nrate_down = \"50 Mbit/s\"", "rate = \"auto\"");
  EXPECT_THAT(automatic.applied, ElementsAre("uplink.mobile.rate", "uplink.mobile.rate_down",
                                             "uplink.mobile.rate_up"));
  EXPECT_THAT(automatic.need_restart, IsEmpty());
}

TEST(Reload, WhatWasOpenedAtTheStartNeedsAnother) {
  EXPECT_THAT(changes_by("cpu = 0", "cpu = 1").need_restart, ElementsAre("dataplane.cpu"));
  EXPECT_THAT(changes_by("provider = \"airmobile\"", "provider = \"skylink\"").need_restart,
              ElementsAre("uplink.mobile.provider"));
  EXPECT_THAT(changes_by("address = \"10.1.2.2\"", "address = \"10.1.2.9\"").need_restart,
              ElementsAre("peer.path[1].address"));
  EXPECT_THAT(
      changes_by("prefixes = [\"10.20.0.0/24\"]", "prefixes = [\"10.20.0.0/24\", \"10.21.0.0/24\"]")
          .need_restart,
      ElementsAre("peer.prefixes"));
}

TEST(Reload, OnlyWhatMayChangeIsTakenOver) {
  Config running = read_with("[lan]", "[lan]");
  apply_changes(running, read_with("[api]\nlisten = \"10.10.0.1:8080\"",
                                   "[shop]\nbandwidth = \"30 Mbit/s\"\n[negotiation]\nwindow = "
                                   "\"2 h\"\n[api]\nlisten = \"10.10.0.1:9090\""));
  EXPECT_EQ(running.shop_bps, 30'000'000u);
  EXPECT_EQ(running.order_window_s, 7200);
  EXPECT_EQ(running.api_listen.port, 8080);
  apply_changes(running, read_with("rate_down = \"50 Mbit/s\"", "rate_down = \"60 Mbit/s\""));
  EXPECT_EQ(running.find_uplink("mobile")->rate_down_bps, 60'000'000u);
  EXPECT_EQ(running.shop_bps, 0u) << "it is not in the file any more";
}

}  // namespace
}  // namespace anabranch::control
