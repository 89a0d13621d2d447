// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/spec.h"

#include <gtest/gtest.h>

namespace anabranch::linkemu {
namespace {

TEST(LinkSpec, NamesTheEndsAndHoldsForBothDirections) {
  const auto link = parse_link(
      "name=fibre,a=fib-a,b=fib-b,rate=100Mbit/s,delay=10ms,jitter=1.5ms,loss=0.25%,queue=50ms,"
      "reorder=true");
  ASSERT_TRUE(link) << link.error();
  EXPECT_EQ(link->name, "fibre");
  EXPECT_EQ(link->a, "fib-a");
  EXPECT_EQ(link->b, "fib-b");
  const Settings expected{.rate_bps = 100'000'000,
                          .delay_ns = 10'000'000,
                          .jitter_ns = 1'500'000,
                          .loss_percent = 0.25,
                          .queue_ns = 50'000'000,
                          .reorder = true};
  EXPECT_EQ(link->ab, expected);
  EXPECT_EQ(link->ba, expected);
}

TEST(LinkSpec, AKeyForOneDirectionComesBeforeTheSameKeyForBothInAnyOrder) {
  for (const char* text : {"name=dsl,a=x,b=y,rate.ba=2Mbit/s,rate=20Mbit/s,down.ab",
                           "name=dsl,a=x,b=y,down.ab,rate=20Mbit/s,rate.ba=2Mbit/s"}) {
    const auto link = parse_link(text);
    ASSERT_TRUE(link) << link.error();
    EXPECT_EQ(link->ab, (Settings{.up = false, .rate_bps = 20'000'000})) << text;
    EXPECT_EQ(link->ba, (Settings{.rate_bps = 2'000'000})) << text;
  }
}

TEST(LinkSpec, UnitsSayWhatTheyAre) {
  EXPECT_EQ(apply_change({}, "rate=9600bit/s")->rate_bps, 9600u);
  EXPECT_EQ(apply_change({}, "rate=64kbit/s")->rate_bps, 64'000u);
  EXPECT_EQ(apply_change({}, "rate=2.5Gbit/s")->rate_bps, 2'500'000'000u);
  EXPECT_EQ(apply_change({}, "delay=1s")->delay_ns, 1'000'000'000u);
  EXPECT_EQ(apply_change({}, "delay=0.5ms")->delay_ns, 500'000u);
  EXPECT_EQ(apply_change({}, "delay=20us")->delay_ns, 20'000u);
  EXPECT_EQ(apply_change({}, "delay=20ns")->delay_ns, 20u);
  EXPECT_EQ(apply_change({}, "loss=3")->loss_percent, 3);
}

TEST(LinkSpec, AChangeLeavesTheRestAsItIs) {
  const Settings before{.rate_bps = 5000, .delay_ns = 7, .loss_percent = 1};
  Settings expected = before;
  expected.up = false;
  EXPECT_EQ(apply_change(before, "down"), expected);
  expected.up = true;
  expected.delay_ns = 40'000'000;
  EXPECT_EQ(apply_change(before, "delay=40ms"), expected);
}

TEST(LinkSpec, AWrongValueIsNamedWithItsKeyAndWhatWasExpected) {
  const auto error = [](const char* change) { return apply_change({}, change).error(); };
  EXPECT_EQ(error("rate=fast"),
            "rate = \"fast\": must be a rate from 1kbit/s to 100Gbit/s, such as 100Mbit/s");
  EXPECT_EQ(error("delay=10"), "delay = \"10\": must be a time from 0ms to 60s, such as 10ms");
  EXPECT_EQ(error("loss=101%"),
            "loss = \"101%\": must be a percentage from 0% to 100%, such as 1%");
  EXPECT_EQ(error("reorder=on"), "reorder = \"on\": must be true or false");
  EXPECT_EQ(error("colour=red"),
            "\"colour=red\": must be up, down, or one of rate=, delay=, jitter=, loss=, queue=, "
            "reorder=");
}

TEST(LinkSpec, OnlyQuantitiesWithinBoundsAreTaken) {
  for (const char* change :
       {"rate=", "rate", "rate=0bit/s", "rate=nanMbit/s", "rate=infMbit/s", "rate=-5Mbit/s",
        "rate=5", "rate=5Mbit/sx", "rate=101Gbit/s", "delay=-1ms", "delay=61s", "delay=nanms",
        "jitter=5", "queue=ms", "loss=-1", "loss=nan", "up=maybe", ""}) {
    EXPECT_FALSE(apply_change({}, change)) << change;
  }
}

TEST(LinkSpec, ALinkThatIsNotWhollyDescribedIsRefused) {
  for (const char* text :
       {"", "name=x", "name=x,a=1", "name=,a=1,b=2", "name=x y,a=1,b=2", "name=x,a=1,b=2,",
        "name=x,a=1,b=2,rate.up=5Mbit/s", "name=x,a=1,b=2,a.ab=3",
        "name=x,a=1,b=2,delay=1ms,"
        "delay=2ms"}) {
    EXPECT_FALSE(parse_link(text)) << text;
  }
}

TEST(LinkSpec, NoTwoLinksShareANameOrAnInterface) {
  EXPECT_TRUE(parse_links({"name=x,a=1,b=2", "name=y,a=3,b=4"}));
  EXPECT_EQ(parse_links({"name=x,a=1,b=2", "name=x,a=3,b=4"}).error(),
            "link x: name: another link has it");
  EXPECT_EQ(parse_links({"name=x,a=1,b=2", "name=y,a=3,b=1"}).error(),
            "link y: b = \"1\": is the end of a link already");
  EXPECT_FALSE(parse_links({"name=x,a=1,b=1"}));
}

}  // namespace
}  // namespace anabranch::linkemu
