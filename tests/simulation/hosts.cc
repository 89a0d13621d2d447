// SPDX-License-Identifier: BSD-3-Clause
#include "tests/simulation/hosts.h"

#include <algorithm>
#include <cmath>

namespace anabranch::simulation {
namespace {

using dataplane::kMillisecond;
using dataplane::kSecond;
using dataplane::kTcp;
using dataplane::kUdp;

constexpr uint16_t kBulkSize = 1380, kShortSize = 1000;
constexpr uint16_t kBulkPort = 5000, kConstantPort = 6000, kShortPort = 10000, kAckOffset = 20000;
constexpr double kWindowMax = 400;

}  // namespace

bool Bulk::may_send(uint64_t now) const {
  const bool stalled = !in_flight_.empty() && now - heard_at_ > kSecond;
  return stalled || static_cast<double>(in_flight_.size()) < window_;
}

void Bulk::sent(uint32_t number, uint64_t now) {
  if (in_flight_.empty()) heard_at_ = now;
  if (now - heard_at_ > kSecond) {
    in_flight_.clear();
    window_ = 2;
    starting_ = true;
    heard_at_ = now;
  }
  in_flight_[number] = now;
}

void Bulk::slow_down(uint64_t now) {
  starting_ = false;
  if (now - slowed_at_ < 200 * kMillisecond) return;
  slowed_at_ = now;
  top_ = window_;
  window_ = std::max(2.0, window_ * 0.7);
}

void Bulk::acknowledged(uint32_t number, uint64_t now) {
  heard_at_ = now;
  in_flight_.erase(number);
  // Three that were sent later were acknowledged before it: lost.
  bool lost = false;
  while (!in_flight_.empty() && in_flight_.begin()->first + 3 < number) {
    in_flight_.erase(in_flight_.begin());
    lost = true;
  }
  if (lost) return slow_down(now);
  if (starting_) {
    window_ += 1;
  } else {
    const double t = static_cast<double>(now - slowed_at_) / 1e9;
    const double k = std::cbrt(top_ * 0.3 / 0.4);
    window_ = std::max(window_, 0.4 * std::pow(t - k, 3) + top_);
  }
  window_ = std::min(window_, kWindowMax);
}

Hosts::Hosts(const Conditions& c, uint64_t now, Send send)
    : end_(now + c.traffic_ns), send_(std::move(send)) {
  std::mt19937_64 random(c.seed);
  for (uint16_t i = 0; i < c.bulk_up; ++i)
    bulk_up_.emplace_back(FlowId{kTcp, static_cast<uint16_t>(kBulkPort + i)});
  for (uint16_t i = 0; i < c.bulk_down; ++i)
    bulk_down_.emplace_back(FlowId{kTcp, static_cast<uint16_t>(kBulkPort + 100 + i)});
  for (uint16_t i = 0; i < c.constant; ++i)
    constant_.push_back({{kUdp, static_cast<uint16_t>(kConstantPort + i)},
                         static_cast<uint16_t>(20 + random() % 1453),
                         kMillisecond / 4 + random() % (20 * kMillisecond),
                         now});
  for (uint16_t i = 0; i < c.short_flows; ++i)
    short_.push_back({{kTcp, static_cast<uint16_t>(kShortPort + i)},
                      now + random() % c.traffic_ns,
                      static_cast<uint32_t>(1 + random() % 20)});
}

void Hosts::send(bool upwards, const FlowId& id, uint16_t size) {
  uint32_t number = 0;
  send_(upwards, oracle(upwards).send(id, size, number));
}

void Hosts::step_bulk(std::vector<Bulk>& flows, bool upwards, uint64_t now) {
  constexpr int kEachStep = 8;  // a host's own link is not endless either
  for (Bulk& flow : flows) {
    for (int n = 0; n < kEachStep && flow.may_send(now); ++n) {
      uint32_t number = 0;
      send_(upwards, oracle(upwards).send(flow.id, kBulkSize, number));
      flow.sent(number, now);
    }
  }
}

void Hosts::step(uint64_t now) {
  if (now >= end_) return;
  step_bulk(bulk_up_, true, now);
  step_bulk(bulk_down_, false, now);
  for (Constant& flow : constant_) {
    for (; flow.next_ns <= now; flow.next_ns += flow.gap_ns) send(true, flow.id, flow.size);
  }
  for (Short& flow : short_) {
    if (flow.packets == 0 || now < flow.at_ns) continue;
    for (; flow.packets != 0; --flow.packets) send(false, flow.id, kShortSize);
  }
}

void Hosts::received(bool upwards, const Bytes& ip, uint64_t now) {
  FlowId id;
  uint32_t number = 0;
  if (!oracle(upwards).receive(ip, id, number)) return;
  auto& flows = upwards ? bulk_up_ : bulk_down_;
  for (Bulk& flow : flows) {
    if (flow.id != id) continue;
    const FlowId back{kTcp, static_cast<uint16_t>(id.port + kAckOffset)};
    uint32_t own = 0;
    send_(!upwards, oracle(!upwards).send(back, 0, own));
    acknowledges_[{!upwards, back}][own] = number;
  }
  for (Bulk& flow : upwards ? bulk_down_ : bulk_up_) {
    if (flow.id.port + kAckOffset != id.port) continue;
    auto& spoken_of = acknowledges_[{upwards, id}];
    flow.acknowledged(spoken_of[number], now);
    spoken_of.erase(spoken_of.begin(), spoken_of.upper_bound(number));
  }
}

}  // namespace anabranch::simulation
