// SPDX-License-Identifier: BSD-3-Clause
// What a link carries is found out by what is sent on it: soon, closely, and again when it changes.
#include "dataplane/capacity.h"
#include "tests/dataplane/units.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace anabranch::dataplane {
namespace {

constexpr uint32_t kOctets = 1538;

// A sender of full packets, a link and a receiver that acknowledges every 5 ms.
class ALink : public ::testing::Test {
 protected:
  double rate = 50e6;
  uint64_t delay = 20 * kMillisecond, jitter = 0, queue = 80 * kMillisecond;
  double loss = 0;
  double offered = 1e12;          // bits a second
  uint64_t every = 1, burst = 0;  // it comes in bursts of so long, so often; 0: steadily

  void run_for(uint64_t ns) {
    for (const uint64_t end = now_ + ns; now_ < end; now_ += kMillisecond / 4) {
      send();
      acknowledge();
    }
  }
  void expect_found(double least, double most) {
    EXPECT_GE(static_cast<double>(capacity_.found()), least * rate);
    EXPECT_LE(static_cast<double>(capacity_.found()), most * rate);
  }
  double sent_bps(uint64_t for_ns) {
    const uint64_t before = next_;
    run_for(for_ns);
    return static_cast<double>((next_ - before) * kOctets) * 8e9 / static_cast<double>(for_ns);
  }

 private:
  struct Packet {
    uint64_t number, sent_ns, arrives_ns;
  };
  uint64_t bits_ns(double bps) const { return static_cast<uint64_t>(kOctets * 8e9 / bps); }

  void send() {
    if (burst != 0 && now_ % every >= burst) return;
    while (pace_.is_free(now_) && offered_at_ <= now_) {
      pace_.take(kOctets, capacity_.pace(), now_);
      capacity_.sent(kOctets);
      offered_at_ = std::max(offered_at_, now_ - std::min(now_, kMillisecond)) + bits_ns(offered);
      const Packet packet{next_++, now_, 0};
      free_at_ = std::max(free_at_, now_);
      if (free_at_ - now_ > queue || chance_(random_) < loss) {
        missing_.push_back(packet.number);
        continue;
      }
      free_at_ += bits_ns(rate);
      const auto more = static_cast<uint64_t>(chance_(random_) * static_cast<double>(jitter));
      last_arrival_ = std::max(last_arrival_, free_at_ + delay + more);
      under_way_.push_back({packet.number, packet.sent_ns, last_arrival_});
    }
  }
  void acknowledge() {
    if (now_ % (5 * kMillisecond) != 0) return;
    Packet largest{};
    for (; !under_way_.empty() && under_way_.front().arrives_ns + delay <= now_;
         under_way_.pop_front()) {
      largest = under_way_.front();
      capacity_.arrived(kOctets);
    }
    if (largest.arrives_ns == 0) return;
    for (; !missing_.empty() && missing_.front() < largest.number; missing_.pop_front()) {
      capacity_.lost(kOctets);
    }
    constexpr uint64_t kOtherClock = 77 * kSecond;
    capacity_.reported({.sent_ns = largest.sent_ns,
                        .received_ns = kOtherClock + largest.arrives_ns,
                        .rtt_ns = now_ - largest.sent_ns,
                        .now_ns = now_});
  }

  Capacity capacity_;
  Pace pace_;
  std::deque<Packet> under_way_;
  std::deque<uint64_t> missing_;
  std::mt19937_64 random_{1};
  std::uniform_real_distribution<> chance_{0, 1};
  uint64_t now_ = kSecond, next_ = 0, free_at_ = 0, last_arrival_ = 0, offered_at_ = 0;
};

class LinkOf : public ALink, public ::testing::WithParamInterface<std::tuple<double, uint64_t>> {};

TEST_P(LinkOf, IsFoundWithinThreeSecondsAndKeptUsed) {
  rate = std::get<0>(GetParam()) * 1e6;
  delay = std::get<1>(GetParam()) * kMillisecond;
  run_for(3 * kSecond);
  expect_found(0.93, 1.01);
  run_for(kSecond);  // what the search left in the queue goes
  for (int second = 0; second < 10; ++second) {
    EXPECT_GE(sent_bps(kSecond), 0.93 * rate);
    expect_found(0.93, 1.01);
  }
}
INSTANTIATE_TEST_SUITE_P(RateAndDelay, LinkOf,
                         ::testing::Combine(::testing::Values(2, 7, 20, 100, 900),
                                            ::testing::Values(2, 20, 80)));

TEST_F(ALink, ThatBecomesSlowerIsFollowed) {
  run_for(5 * kSecond);
  rate = 20e6;
  run_for(3 * kSecond);
  expect_found(0.93, 1.01);
}

TEST_F(ALink, ThatBecomesFasterIsFollowed) {
  run_for(5 * kSecond);
  rate = 90e6;
  run_for(3 * kSecond);
  expect_found(0.93, 1.01);
}

TEST_F(ALink, ThatBecomesLongerCarriesWhatItDid) {
  run_for(5 * kSecond);
  delay = 60 * kMillisecond;
  run_for(2 * kSecond);
  EXPECT_GE(sent_bps(3 * kSecond), 0.9 * rate);
  expect_found(0.9, 1.01);
}

TEST_F(ALink, ThatKeepsNoQueueIsFoundByWhatItDrops) {
  queue = kMillisecond;
  run_for(3 * kSecond);
  expect_found(0.93, 1.02);
}

TEST_F(ALink, ThatLosesByChanceIsNotTakenForFull) {
  loss = 0.03;
  run_for(3 * kSecond);
  expect_found(0.93, 1.01);
  EXPECT_GE(sent_bps(10 * kSecond), 0.92 * rate);
}

// What a slow path gets when the fast ones are busy comes in bursts, which use up no round's pace.
TEST_F(ALink, ThatBurstsOverflowIsFoundByWhatItDrops) {
  every = 60 * kMillisecond, burst = 36 * kMillisecond;
  queue = 5 * kMillisecond;
  run_for(3 * kSecond);
  expect_found(0.93, 1.01);
}

// A burst's queue stands at the end of a round that was idle before it.
TEST_F(ALink, ThatBurstsFillIsFoundByWhatItCarriesFromItsQueue) {
  every = 60 * kMillisecond, burst = 36 * kMillisecond;
  queue = 20 * kMillisecond;
  run_for(3 * kSecond);
  expect_found(0.93, 1.01);
}

TEST_F(ALink, ThatVariesInDelayIsFound) {
  jitter = 10 * kMillisecond;
  run_for(3 * kSecond);
  expect_found(0.93, 1.02);
  EXPECT_GE(sent_bps(10 * kSecond), 0.9 * rate);
}

TEST_F(ALink, ThatIsHardlyUsedLosesNoneOfItsCapacity) {
  run_for(5 * kSecond);
  for (const double share : {0.1, 0.5, 0.8, 0.02}) {
    offered = share * rate;
    run_for(5 * kSecond);
    expect_found(0.93, 1.01);
  }
}

TEST_F(ALink, ThatWasNeverFullIsNotKnown) {
  offered = 5e6;
  run_for(5 * kSecond);
  expect_found(0, 0);
}

}  // namespace
}  // namespace anabranch::dataplane
