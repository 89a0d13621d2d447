// SPDX-License-Identifier: BSD-3-Clause
// Server-sent events: who sees which, where a listener goes on, and what becomes of a slow one.
#include "control/feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "control/watch.h"
#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kFirst = 1000;
const Caller kOperator{}, kAuditor{Role::auditing, {}}, kAcme{Role::client, "acme"};

// Names and numbers of all there are now: "a 1000".
std::vector<std::string> heard_by(Feed::Listener& listener) {
  std::vector<std::string> all;
  while (true) {
    const auto text = listener.next(milliseconds(0));
    if (!text) all.push_back("dropped");
    if (!text || text->empty()) return all;
    std::string id;
    for (size_t at = 0; at < text->size();) {
      const size_t end = text->find('\n', at);
      const std::string line = text->substr(at, end - at);
      if (line.starts_with("id: ")) id = line.substr(4);
      if (line.starts_with("event: ")) all.push_back(line.substr(7) + " " + id);
      at = end + 1;
    }
  }
}

TEST(Feed, GoesOnBehindTheLastThatWasHeard) {
  Feed feed({}, kFirst);
  for (const char* event : {"a", "b", "c"}) feed.publish(event, {{"n", 1}});
  EXPECT_THAT(heard_by(*feed.listen(kOperator, std::nullopt)), ElementsAre());
  EXPECT_THAT(heard_by(*feed.listen(kOperator, kFirst)), ElementsAre("b 1001", "c 1002"));
  const auto all = feed.listen(kOperator, kFirst - 1);
  EXPECT_THAT(heard_by(*all), ElementsAre("a 1000", "b 1001", "c 1002"));
  feed.publish("d", {});
  EXPECT_THAT(heard_by(*all), ElementsAre("d 1003"));
}

TEST(Feed, SaysWhereItIsBeforeAnythingHappens) {
  Feed feed({}, kFirst);
  EXPECT_EQ(feed.listen(kOperator, std::nullopt)->next(milliseconds(0)),
            "retry: 2000\nid: 999\n\n");
}

TEST(Feed, SaysResetWhereWhatWasMissedIsGone) {
  Feed feed({.events = 2}, kFirst);
  for (const char* event : {"a", "b", "c"}) feed.publish(event, {});
  EXPECT_THAT(heard_by(*feed.listen(kOperator, kFirst)), ElementsAre("b 1001", "c 1002"));
  EXPECT_THAT(heard_by(*feed.listen(kOperator, kFirst - 1)), ElementsAre("reset 1002"));
  EXPECT_THAT(heard_by(*feed.listen(kOperator, 7)), ElementsAre("reset 1002"))
      << "of an earlier process";
  EXPECT_THAT(heard_by(*feed.listen(kOperator, 2000)), ElementsAre("reset 1002")) << "never sent";
  EXPECT_THAT(heard_by(*feed.listen(kOperator, UINT64_MAX)), ElementsAre("reset 1002"));
}

TEST(Feed, ShowsAClientItsOwnAlone) {
  Feed feed({}, kFirst);
  feed.publish("path-dead", {});
  feed.publish("service-started", {}, "acme");
  feed.publish("service-started", {}, "other");
  EXPECT_THAT(heard_by(*feed.listen(kAcme, kFirst - 1)), ElementsAre("service-started 1001"));
  EXPECT_EQ(heard_by(*feed.listen(kAuditor, kFirst - 1)).size(), 3u);
  EXPECT_EQ(heard_by(*feed.listen(kOperator, kFirst - 1)).size(), 3u);
}

TEST(Feed, HoldsNoMoreOctetsThanItMay) {
  Feed feed({.octets = 10'000}, kFirst);
  for (int i = 0; i < 100; ++i) feed.publish("big", {{"text", std::string(1000, 'x')}});
  EXPECT_THAT(heard_by(*feed.listen(kOperator, kFirst + 80)), ElementsAre("reset 1099"));
  EXPECT_EQ(heard_by(*feed.listen(kOperator, kFirst + 95)).size(), 4u);
}

TEST(Feed, DropsWhoFallsBehind) {
  Feed feed({.events = 4}, kFirst);
  const auto slow = feed.listen(kOperator, std::nullopt), fast = feed.listen(kOperator, {});
  for (int i = 0; i < 10; ++i) {
    feed.publish("a", {});
    EXPECT_EQ(heard_by(*fast).size(), 1u);
  }
  EXPECT_THAT(heard_by(*slow), ElementsAre("dropped"));
}

TEST(Feed, TakesSoManyListenersAndNoMore) {
  Feed feed({.listeners = 2}, kFirst);
  auto one = feed.listen(kOperator, {});
  const auto two = feed.listen(kAcme, {});
  EXPECT_EQ(feed.listen(kOperator, {}), nullptr);
  one.reset();
  EXPECT_NE(feed.listen(kOperator, {}), nullptr);
  EXPECT_EQ(feed.listeners(), 1u);
}

TEST(Feed, WakesWhoListensAndEndsForAll) {
  Feed feed({}, kFirst);
  const auto listener = feed.listen(kOperator, std::nullopt);
  (void)heard_by(*listener);
  std::promise<std::string> heard;
  bool has_ended = false;
  std::thread thread([&] {
    heard.set_value(listener->next(std::chrono::hours(1)).value_or("nothing"));
    has_ended = !listener->next(std::chrono::hours(1));
  });
  feed.publish("a", {{"path", "dsl"}});
  EXPECT_THAT(heard.get_future().get(), HasSubstr("\"path\":\"dsl\""));
  feed.stop();
  thread.join();
  EXPECT_TRUE(has_ended);
  EXPECT_EQ(feed.listen(kOperator, {}), nullptr);
}

TEST(Watch, TellsWhatHasChangedAndOfRatingsWhatIsLarge) {
  Feed feed({}, kFirst);
  Watch watch(feed);
  const auto listener = feed.listen(kOperator, {});
  auto paths = three_links();
  for (PathState& p : paths) p.alive = false;
  watch.paths(paths);
  watch.session(false, "site-b");
  EXPECT_THAT(heard_by(*listener), ElementsAre());
  paths[0].alive = true;
  paths[0].condition = Condition::probing;
  watch.paths(paths);
  paths[0].condition = Condition::up;
  watch.paths(paths);
  watch.session(true, "site-b");
  watch.session(true, "site-b");
  EXPECT_THAT(heard_by(*listener), ElementsAre("path-up 1000", "session-up 1001"));
  paths[0].condition = Condition::suspected;
  watch.paths(paths);
  paths[0].alive = false;
  watch.paths(paths);
  watch.session(false, "site-b");
  EXPECT_THAT(heard_by(*listener),
              ElementsAre("path-suspected 1002", "path-dead 1003", "session-down 1004"));

  Ratings ratings{{{"fibre", 90}}, {{"ftth", 90}}, {{"northfibre", 90}}};
  watch.ratings(ratings);
  for (const double rating : {88.0, 86.0, 84.9, 82.0, 80.1}) {
    ratings.links[0].second = rating;
    watch.ratings(ratings);
  }
  EXPECT_THAT(heard_by(*listener), ElementsAre("rating-changed 1005"));
}

}  // namespace
}  // namespace anabranch::control
