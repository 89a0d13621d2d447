// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/rest.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>

namespace anabranch::dataplane {
namespace {

using Clock = std::chrono::steady_clock;

class RestTest : public ::testing::Test {
 protected:
  RestTest() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends_.data()), 0); }
  ~RestTest() override {
    for (const int end : ends_) close(end);
  }
  uint64_t rests_ns(Rest& rest, uint32_t times, bool at_rest = true) {
    const auto start = Clock::now();
    for (uint32_t n = 0; n < times; ++n) rest.rest(at_rest);
    return static_cast<uint64_t>((Clock::now() - start) / std::chrono::nanoseconds(1));
  }
  std::span<const int> port() const { return {&ends_[0], 1}; }
  void something_comes() { ASSERT_EQ(write(ends_[1], "x", 1), 1); }
  static constexpr uint32_t kUntilItListens = Rest::kLooks + Rest::kNaps;

  std::array<int, 2> ends_{};
};

TEST_F(RestTest, NapsAndThenListens) {
  Rest rest(port());
  EXPECT_GE(rests_ns(rest, kUntilItListens), Rest::kNaps * Rest::kNapNs);
  EXPECT_GE(rests_ns(rest, 1), Rest::kListenNs);
}

TEST_F(RestTest, EndsWhenSomethingComes) {
  Rest rest(port());
  rests_ns(rest, kUntilItListens);
  something_comes();
  // A thousand, so that what the machine does meanwhile is no matter.
  EXPECT_LT(rests_ns(rest, 1000), 1000 * Rest::kListenNs / 2);
}

TEST_F(RestTest, IsANapWhileSomethingWaitsInTheWorker) {
  Rest rest(port());
  rests_ns(rest, kUntilItListens);
  something_comes();
  EXPECT_GE(rests_ns(rest, 10, false), 10 * Rest::kNapNs) << "is deaf";
}

TEST_F(RestTest, IsANapWhereAPortHasNoSocket) {
  Rest rest({});
  rests_ns(rest, kUntilItListens);
  EXPECT_GE(rests_ns(rest, 10), 10 * Rest::kNapNs);
}

TEST_F(RestTest, BeginsAnewWithLookingAfterAPacket) {
  Rest rest(port());
  rests_ns(rest, kUntilItListens);
  rest.wake();
  EXPECT_LT(rests_ns(rest, Rest::kLooks - 1), Rest::kListenNs);
  EXPECT_GE(rests_ns(rest, 1), Rest::kNapNs);
}

TEST_F(RestTest, EndsWhenAnotherWorkerRings) {
  Doorbell bell;
  Rest rest({}, &bell);
  rests_ns(rest, kUntilItListens);
  EXPECT_LT(rests_ns(rest, 1), Rest::kListenNs / 2) << "it looks once more before it sleeps";
  bell.ring();
  EXPECT_LT(rests_ns(rest, 1), Rest::kListenNs / 2);
  rests_ns(rest, 1);
  EXPECT_GE(rests_ns(rest, 1), Rest::kListenNs) << "nobody rang again";
}

TEST_F(RestTest, HearsNoBellThatRangWhileItWorked) {
  Doorbell bell;
  Rest rest({}, &bell);
  bell.ring();
  rests_ns(rest, kUntilItListens + 1);
  EXPECT_GE(rests_ns(rest, 1), Rest::kListenNs);
}

TEST_F(RestTest, IsNoLoopWhenASocketHasAnError) {
  const int stream = socket(AF_INET, SOCK_STREAM, 0);  // not connected: POLLHUP
  Rest rest({&stream, 1});
  rests_ns(rest, kUntilItListens);
  EXPECT_GE(rests_ns(rest, 10), 10 * Rest::kNapNs);
  close(stream);
}

}  // namespace
}  // namespace anabranch::dataplane
