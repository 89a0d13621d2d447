// SPDX-License-Identifier: BSD-3-Clause
// What two gateways counted of the same paths: what one sent and the other did not receive was lost
// on the wire, or is not counted rightly. By the paths' totals (kPathTotal) of their journals.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/journal_segment.h"
#include "billing/period_usage.h"

namespace anabranch::billing {

struct ReconciledPath {
  std::string path, provider, from, to;  // of whom, to whom: gateways
  Count sent, received;
  // Negative: more was received than sent, so one of the meters is wrong.
  int64_t lost_octets() const { return static_cast<int64_t>(sent.octets - received.octets); }
  // Of what was sent, in millionths.
  int64_t lost_ppm() const;
};

// Paths that both have, by their names. Usage across an end of the time is divided in proportion.
tl::expected<std::vector<ReconciledPath>, std::string> reconcile(const std::string& a,
                                                                 const std::string& b,
                                                                 const WallRange& time = {});

nlohmann::json to_json(const ReconciledPath& path);

}  // namespace anabranch::billing
