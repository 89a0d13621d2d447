// SPDX-License-Identifier: BSD-3-Clause
// What services are given beside each other, and their packets beside each other, between two
// gateways.
#include <gtest/gtest.h>

#include <vector>

#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

constexpr uint8_t kExpedited = 46, kLowEffort = 1;
constexpr uint16_t kOtherPort = 7000;  // what goes there is the other service's
constexpr size_t kPayload = 1000;
constexpr double kIpLength = kPayload + 28;

class Served : public TwoGateways {
 protected:
  void SetUp() override {
    TwoGateways::SetUp();
    admit(kOtherService);
    auto rules = std::make_unique<Ruleset>();
    rules->epoch = a().plans.ruleset().epoch;
    rules->rules = a().plans.ruleset().rules;
    rules->epoch += 1;
    Rule special = rules->rules.front();
    special.destination_port_from = special.destination_port_to = kOtherPort;
    special.slot = kOtherService;
    rules->rules.insert(rules->rules.begin(), special);
    a().plans.publish(std::move(rules));
  }
  // Plans of a service as gateway a's fields say; whole flows all go one way.
  void admit(uint16_t slot, Segmentation segmentation = Segmentation::packet) {
    const bool packets = segmentation == Segmentation::packet;
    a().dispersion = packets ? Dispersion::earliest_delivery : Dispersion::weighted;
    admit_both(packets ? kShares : only(1), segmentation, packets, slot);
  }
  // What all links together are paced to.
  void pace(uint64_t bits_per_second) {
    a().rate_bps = {0, bits_per_second / 2, bits_per_second / 3, bits_per_second / 6};
    a().plans.publish(std::make_unique<const PathTable>(a().paths()));
  }
  // Both services send so fast for so long; `dscps` of the first in turn.
  void send_for(uint64_t ns, double bps, double other_bps,
                const std::vector<uint8_t>& dscps = {0}) {
    double due = 0, other_due = 0;
    for (const uint64_t end = now + ns; now < end; step()) {
      due += bps * static_cast<double>(step_ns) / 8e9;
      other_due += other_bps * static_cast<double>(step_ns) / 8e9;
      for (; due >= kIpLength; due -= kIpLength) {
        const uint8_t dscp = dscps[number_ % dscps.size()];
        a().host_sends(datagram(number_++, kPayload).dscp(dscp).ip());
      }
      for (; other_due >= kIpLength; other_due -= kIpLength)
        a().host_sends(datagram(number_++, kPayload).udp(5000, kOtherPort).ip());
      for (const Bytes& ip : b().hosts_received()) received_.push_back(ip);
    }
  }
  // Octets of clients' packets a second that left meanwhile.
  double sent_bps(uint16_t slot, uint64_t ns) {
    uint64_t packets = 0;
    for (uint8_t path = 1; path <= kPaths; ++path) packets += first_sends(path, slot);
    const uint64_t new_packets = packets - counted_[slot];
    counted_[slot] = packets;
    return static_cast<double>(new_packets) * kIpLength * 8e9 / static_cast<double>(ns);
  }

  uint32_t number_ = 0;
  std::vector<Bytes> received_;

 private:
  std::array<uint64_t, 4> counted_{};
};

TEST_F(Served, GetTheirWeightsShareOfBusyPaths) {
  for (const auto segmentation : {Segmentation::packet, Segmentation::flow}) {
    a().weight = 1;
    admit(kService, segmentation);
    a().weight = 5;
    admit(kOtherService, segmentation);
    pace(20'000'000);
    send_for(kSecond, 25e6, 25e6);
    sent_bps(kService, 1), sent_bps(kOtherService, 1);
    send_for(4 * kSecond, 25e6, 25e6);
    const double one = sent_bps(kService, 4 * kSecond), five = sent_bps(kOtherService, 4 * kSecond);
    EXPECT_NEAR(five / one, 5, 0.15);
    settle();
  }
}

TEST_F(Served, KeepTheirRateAndSlowNobodyDown) {
  a().rate_max_bps = 2'000'000;
  admit(kService);
  pace(20'000'000);
  send_for(10 * kSecond, 4e6, 12e6);
  EXPECT_NEAR(sent_bps(kService, 10 * kSecond), 2e6, 0.02 * 2e6);
  EXPECT_NEAR(sent_bps(kOtherService, 10 * kSecond), 12e6, 0.02 * 12e6);
  EXPECT_GT(a().drops(Drop::codel) + a().drops(Drop::queue_full), 0u);
}

TEST_F(Served, KeepTheirRateWhereNothingElseIsSentAndPathsAreNotPaced) {
  for (const auto segmentation : {Segmentation::packet, Segmentation::flow}) {
    a().rate_max_bps = 2'000'000;
    admit(kService, segmentation);
    // Less than it may.
    send_for(2 * kSecond, 1.9e6, 0);
    EXPECT_NEAR(sent_bps(kService, 2 * kSecond), 1.9e6, 0.02 * 1.9e6);
    send_for(10 * kSecond, 3e6, 0);
    EXPECT_NEAR(sent_bps(kService, 10 * kSecond), 2e6, 0.02 * 2e6);
    settle();
    sent_bps(kService, 1);
  }
}

TEST_F(Served, SendWhatWaitedWhenTheirRateIsRaised) {
  a().rate_max_bps = 100'000;
  admit(kService);
  send_datagrams(0, 100, 100);
  run_for(kSecond / 10);
  a().rate_max_bps = 0;
  admit(kService);
  run_for(kSecond / 2);
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(100));
}

TEST_F(Served, SendUrgentPacketsPastAStandingQueueAndNothingIsChangedButTheTtl) {
  a().urgent = uint64_t{1} << kExpedited;
  a().background = uint64_t{1} << kLowEffort;
  admit(kService);
  pace(5'000'000);
  send_for(kSecond / 10, 10e6, 0);
  const Bytes urgent = datagram(1'000'000, 200).dscp(kExpedited).ip();
  a().host_sends(urgent);
  const Bytes low = datagram(1'000'001, 200).dscp(kLowEffort).ip();
  a().host_sends(low);
  // The slowest path takes 10 ms, and 10 ms the packets it was given before.
  run_for(30 * kMillisecond);
  const auto find = [&](const Bytes& sent) {
    const auto all = b().hosts_received();
    received_.insert(received_.end(), all.begin(), all.end());
    return std::any_of(received_.begin(), received_.end(), [&](const Bytes& ip) {
      return ip.size() == sent.size() && ip[1] == sent[1] &&
             std::equal(ip.begin() + 20, ip.end(), sent.begin() + 20);
    });
  };
  EXPECT_TRUE(find(urgent));
  settle();
  EXPECT_TRUE(find(low));
}

TEST_F(Served, SendUrgentPacketsAtMostHalfTheTimeAndBackgroundOnesASixteenth) {
  a().urgent = uint64_t{1} << kExpedited;
  a().background = uint64_t{1} << kLowEffort;
  admit(kService);
  pace(6'000'000);
  send_for(kSecond, 15e6, 0, {kExpedited, 0, kLowEffort});
  received_.clear();
  send_for(4 * kSecond, 15e6, 0, {kExpedited, 0, kLowEffort});
  std::array<double, 64> received{};
  for (const Bytes& ip : received_)
    received[ip[1] >> 2] += 1 / static_cast<double>(received_.size());
  EXPECT_NEAR(received[kExpedited], 0.5, 0.02);
  EXPECT_NEAR(received[0], 7.0 / 16, 0.02);
  EXPECT_NEAR(received[kLowEffort], 1.0 / 16, 0.01);
}

}  // namespace
}  // namespace anabranch::dataplane
