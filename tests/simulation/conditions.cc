// SPDX-License-Identifier: BSD-3-Clause
#include "tests/simulation/conditions.h"

#include <fmt/format.h>

#include <cmath>
#include <random>

namespace anabranch::simulation {
namespace {

using dataplane::kMillisecond;
using dataplane::kSecond;

// By dataplane::Dispersion.
constexpr std::array kDispersions{"weighted",  "earliest delivery", "flowlet",
                                  "redundant", "by priority",       "standby"};

class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}
  bool chance(double probability) { return between(0, 1) < probability; }
  double between(double least, double most) {
    return std::uniform_real_distribution<>(least, most)(random_);
  }
  uint64_t count(uint64_t least, uint64_t most) {
    return std::uniform_int_distribution<uint64_t>(least, most)(random_);
  }
  // Small ones as often as large ones.
  double of_any_size(double least, double most) {
    return std::exp(between(std::log(least), std::log(most)));
  }

 private:
  std::mt19937_64 random_;
};

LinkConditions any_link(Draw& draw) {
  LinkConditions link;
  link.rate_bps = static_cast<uint64_t>(draw.of_any_size(1e6, 60e6));
  link.delay_ns = static_cast<uint64_t>(draw.of_any_size(1e6, 150e6));
  link.queue_ns = static_cast<uint64_t>(draw.of_any_size(20e6, 200e6));
  if (draw.chance(0.4)) link.jitter_ns = static_cast<uint64_t>(draw.of_any_size(1e5, 2e7));
  link.in_order = draw.chance(0.7);
  if (draw.chance(0.4)) link.loss = draw.of_any_size(0.0005, 0.05);
  if (draw.chance(0.2)) link.turn_bad = draw.of_any_size(0.0005, 0.01);
  if (draw.chance(0.1)) link.corrupt = 0.002;
  if (draw.chance(0.1)) link.duplicate = 0.01;
  return link;
}

std::string text_of(const LinkConditions& l) {
  return fmt::format(
      "{:.1f} Mbit/s, {:.1f} ms + {:.1f} ms{}, loss {:.2f} %, bursts {:.2f} %, corrupt {:.1f} %, "
      "twice {:.1f} %, mtu {}",
      static_cast<double>(l.rate_bps) / 1e6, static_cast<double>(l.delay_ns) / 1e6,
      static_cast<double>(l.jitter_ns) / 1e6, l.in_order ? "" : " unordered", l.loss * 100,
      l.turn_bad * 100, l.corrupt * 100, l.duplicate * 100, l.mtu);
}

}  // namespace

void LinkConditions::apply(dataplane::Link& link) const {
  link.rate_bps = rate_bps;
  link.delay_ns = delay_ns;
  link.jitter_ns = jitter_ns;
  link.queue_ns = queue_ns;
  link.loss = loss;
  link.turn_bad = turn_bad;
  link.corrupt = corrupt;
  link.duplicate = duplicate;
  link.in_order = in_order;
  link.mtu = mtu;
}

Conditions::Conditions(uint64_t s) : seed(s) {
  Draw draw(seed);
  for (uint8_t path = 1; path <= kPaths; ++path) {
    up[path] = any_link(draw);
    down[path] = draw.chance(0.5) ? up[path] : any_link(draw);
    down[path].rate_bps = up[path].rate_bps;
    configured_bps[path] =
        static_cast<uint64_t>(static_cast<double>(up[path].rate_bps) *
                              (draw.chance(0.7) ? 0.99 : draw.between(0.8, 1.2)));
  }
  // Links may be narrow; one may swallow what is large, and say nothing.
  configured_mtu.fill(1500);
  for (uint8_t path = 1; path <= kPaths; ++path) {
    if (draw.chance(0.2))
      up[path].mtu = down[path].mtu = static_cast<uint16_t>(draw.count(576, 1500));
    configured_mtu[path] = up[path].mtu;
  }
  const bool narrow = draw.chance(0.1);
  if (narrow) {
    up[2].mtu = down[2].mtu = 1400;
    configured_mtu[2] = 1500;
  }
  traffic_ns = static_cast<uint64_t>(draw.between(0.5, 2) * kSecond);
  for (uint64_t n = draw.chance(0.4) ? draw.count(1, 3) : 0; n != 0; --n) {
    const uint64_t from = draw.count(0, traffic_ns);
    // Never the first, so that one is always alive;
    outages.push_back({static_cast<uint8_t>(draw.count(2, kPaths)), from,
                       from + draw.count(20, 800) * kMillisecond});
  }
  // … and takes what was under way on others within the time that a packet may be late.
  if (narrow || !outages.empty()) {
    for (uint8_t path = 2; path <= kPaths; ++path) {
      up[1].rate_bps = down[1].rate_bps = std::max(up[1].rate_bps, up[path].rate_bps);
    }
    configured_bps[1] = up[1].rate_bps / 100 * 99;
  }
  if (draw.chance(0.1)) {
    blackout = true;
    const uint64_t from = draw.count(0, traffic_ns);
    const uint64_t to = from + draw.count(20, 2000) * kMillisecond;
    for (uint8_t path = 1; path <= kPaths; ++path) outages.push_back({path, from, to});
  }
  if (draw.chance(0.15)) {
    segmentation = dataplane::Segmentation::flow;
    repaired = false;
  } else if (draw.chance(0.25)) {
    dispersion = dataplane::Dispersion::weighted;
  } else if (draw.chance(0.2)) {
    dispersion =
        draw.chance(0.5) ? dataplane::Dispersion::priority : dataplane::Dispersion::standby;
  } else if (draw.chance(0.1)) {
    dispersion = dataplane::Dispersion::redundant;
    repaired = false;
  }
  few_buffers = draw.chance(0.1);
  const auto buffers = [&] {
    return static_cast<uint32_t>(few_buffers ? draw.count(1, 200) : 4096);
  };
  limits.held_max = buffers();
  limits.queued_max = buffers();
  limits.retained_max = buffers();
  if (few_buffers && draw.chance(0.5)) limits.retained_octets_least = draw.count(2000, 200000);
  // Not drawn, so that seeds stay what they are.
  if (seed % 4 != 0)
    limits.flow_accounts = {.places = seed % 3 == 0 ? 64u : 4096u,
                            .ring = seed % 5 == 0 ? 16u : 1024u};
  on_path = draw.chance(0.2);
  off_path = draw.chance(0.2);
  drift = draw.chance(0.5) ? draw.between(-100e-6, 100e-6) : 0;
  bulk_up = static_cast<uint32_t>(draw.count(0, 4));
  bulk_down = static_cast<uint32_t>(draw.count(0, 2));
  constant = static_cast<uint32_t>(draw.count(0, 3));
  short_flows = static_cast<uint32_t>(draw.count(0, 20));
  estimated = draw.chance(0.3);
  classes = draw.chance(0.3);
  if (draw.chance(0.15)) rate_max_bps = static_cast<uint64_t>(draw.of_any_size(64e3, 50e6));
  for (uint8_t path = 1; path <= kPaths; ++path) {
    ipv6[path] = draw.chance(0.3);
    if (draw.chance(0.15)) vlan[path] = static_cast<uint16_t>(draw.count(1, 4094));
  }
  if (draw.chance(0.15)) lan_vlan = static_cast<uint16_t>(draw.count(1, 4094));
}

std::string Conditions::text() const {
  std::string text = fmt::format(
      "seed {}: {} ms of {} bulk flows up, {} down, {} constant, {} short; {}{}{}{}{}{}{}{}; drift "
      "{:.0f} "
      "ppm\n",
      seed, traffic_ns / kMillisecond, bulk_up, bulk_down, constant, short_flows,
      in_order() ? kDispersions[static_cast<size_t>(dispersion)] : "whole flows",
      estimated ? ", rates unknown" : "", blackout ? ", a blackout" : "",
      few_buffers ? ", few buffers" : "", classes ? ", classes" : "",
      rate_max_bps == 0
          ? ""
          : fmt::format(", at most {:.1f} Mbit/s", static_cast<double>(rate_max_bps) / 1e6),
      on_path ? ", adversary on the path" : "", off_path ? ", adversary off the path" : "",
      drift * 1e6);
  for (uint8_t path = 1; path <= kPaths; ++path) {
    text += fmt::format("  path {} up   {}; configured {:.1f}{}{}\n", path, text_of(up[path]),
                        static_cast<double>(configured_bps[path]) / 1e6, ipv6[path] ? ", IPv6" : "",
                        vlan[path] != 0 ? fmt::format(", VLAN {}", vlan[path]) : "");
    text += fmt::format("         down {}\n", text_of(down[path]));
  }
  for (const Outage& o : outages)
    text += fmt::format("  path {} is dead from {} ms to {} ms\n", o.path, o.from_ns / kMillisecond,
                        o.to_ns / kMillisecond);
  return text;
}

}  // namespace anabranch::simulation
