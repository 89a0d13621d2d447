// SPDX-License-Identifier: BSD-3-Clause
// From measurements to the preferred scenario: measure → rate → candidates → prefer.
// All of it pure functions of their arguments; the same input gives the same scenario.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/dispersion.h"
#include "control/documents.h"
#include "dataplane/bytes.h"
#include "dataplane/wire.h"

namespace anabranch::control {

using dataplane::Uint128;

// How a path is doing, the worst that holds. What is put into words stays until it clearly does not
// hold any more.
enum class Condition : uint8_t {
  dead,       // the peer does not hear it, or is not heard
  suspected,  // what is under way on it is overdue
  probing,    // alive for a few seconds only
  lossy,
  slow,  // its round trip is far above its least: somebody fills it
  up,
};
const char* to_string(Condition condition);

// What a path was measured to be over a while. The latency, one way, is the median; jitter and
// loss, of the worse direction, are what they were for the worse quarter of it.
struct PathRecord {
  uint32_t samples = 0;  // seconds
  double latency_ms = 0, jitter_ms = 0;
  double loss = 0, availability = 0;  // 0..1
  double rate_kept = 1;               // of its rate, while it was full
  bool operator==(const PathRecord&) const = default;
};

// What is known of one path now. `up` is what we send, `down` what we receive.
struct PathState {
  std::string name;  // the uplink's name
  std::string provider;
  std::string network;
  uint8_t index = 0;  // place in the data plane's path table
  bool alive = false;
  Condition condition = Condition::dead;
  double rtt_ms = 0;  // smoothed; 0 when not yet measured
  double rtt_min_ms = 0;
  double rtt_variation_ms = 0;
  double pto_ms = 0;                  // after which what is not acknowledged is sent again
  double loss_up = 0, loss_down = 0;  // 0..1
  double availability = 0;            // 0..1, share of the last minute alive
  uint64_t rate_up_bps = 0, rate_down_bps = 0;  // contracted, or found
  uint64_t delivered_bps = 0;                   // in the last second, to the peer
  double queue_up_ms = 0, queue_down_ms = 0;    // one-way delay above its least: what queues add
  uint32_t mtu = 1500;  // what arrives, where that was found to be less than configured
  uint32_t overhead = dataplane::kSegmentOverhead;  // octets of it that are not the client's packet
  // What the client pays for an octet on this path, in 10^-18 currency units, by its tariff.
  Uint128 price_attos_per_octet = 0;
  // What other services hold of its payload, of which this one may take nothing; and among how many
  // equal services the rest is shared.
  uint64_t held_up_bps = 0, held_down_bps = 0;
  uint32_t shared_by = 1;
  // Its quota is used up, or it is in maintenance: it counts as not alive. What is to be said of
  // its quotas and of that; or empty.
  bool used_up = false;
  std::string quota;
  // It was away, and has to be there for so long before it is relied on; 0: it is. Used as what the
  // profile avoids is.
  uint32_t held_back_s = 0;
  // Over the last minute, hour and thirty days.
  std::array<PathRecord, 3> records;
  bool operator==(const PathState&) const = default;
};

// The quality score of a link, a network or a provider, 0 (useless) to 100 (perfect).
struct Ratings {
  std::vector<std::pair<std::string, double>> links, networks, providers;
  bool operator==(const Ratings&) const = default;
};
// The rating of a name among `ratings`; 0 when it is not there.
double rating_of(const std::vector<std::pair<std::string, double>>& ratings,
                 const std::string& name);
Ratings rate(const std::vector<PathState>& paths);

struct Prediction {
  double goodput_up_bps = 0, goodput_down_bps = 0;  // octets of the clients' IP packets' payload
  double latency_ms = 0;                            // one way, the slowest path used
  double loss_percent = 0;
  double jitter_ms = 0;             // mean deviation of the round trip
  double availability_percent = 0;  // that a path is there, by what is known for longest
  double risk_percent = 0;  // that providers which fail leave too little of what is asked for
  // Price of 10^9 octets on the wire, in 10^-18 currency units, at the expected split.
  Uint128 price_attos_per_gb = 0;
  bool operator==(const Prediction&) const = default;
};

// One combination of segmentation, dispersion and assemblage with its paths.
struct Scenario {
  Dispersion dispersion = Dispersion::weighted;
  // Of 65535 in all; 0 = not used. What is expected, where the dispersion is not weighted.
  struct Share {
    uint8_t path_index = 0;
    std::string name;
    std::string provider;
    uint16_t weight_up = 0, weight_down = 0;
    uint64_t reserved_up_bps = 0, reserved_down_bps = 0;  // payload, of the rates asked for
    auto operator<=>(const Share&) const = default;
  };
  std::vector<Share> shares;
  std::vector<uint8_t> order;  // path indices, where the dispersion is by order
  bool resequence = true;      // assemblage: in order and with repair, or pass through
  Treatment treatment;         // the profile's
  Prediction expected;
  std::vector<std::string> reasons;  // sentences
  bool operator==(const Scenario&) const = default;
};

// Whether `path` is so much slower than `other` that the data plane does not put flows together
// over both (dataplane/disperse.cc).
bool too_slow_beside(const PathState& path, const PathState& other);

// Every combination of a non-empty subset of the paths that are alive and not "never", with each
// allowed dispersion; each with its prediction. 2^n for n paths: for tests and tables.
std::vector<Scenario> candidates(const std::vector<PathState>& paths, const Profile& profile);

// The preferred one, with its reasons in words; nullopt with a sentence that names what could not
// be met and the nearest that can. Another takes the place of the one `in_force` only when it is
// better by more than measurements vary.
struct Choice {
  std::optional<Scenario> preferred;
  std::string refusal;
  bool operator==(const Choice&) const = default;
};
// By `ratings`; or by what the paths are rated now, without. All combinations of usable paths are
// candidates, as candidates() has them; of more than 16 usable paths, the first 16 by index count.
// worth.h says which is preferred. The same input gives the same choice, in whatever order paths
// are given.
Choice prefer(const std::vector<PathState>& paths, const Profile& profile,
              const ServiceRequest& request, const std::string& currency,
              const Scenario* in_force = nullptr, const Ratings* ratings = nullptr);

// Whether `preferred` differs from what is in force by more than noise does: in its paths, its
// segmentation, or a weight by more than a twentieth; or the profile's treatment has changed.
bool worth_replacing(const Scenario& in_force, const Scenario& preferred);

nlohmann::json to_json(const Scenario& scenario, const std::string& currency);

}  // namespace anabranch::control
