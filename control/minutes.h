// SPDX-License-Identifier: BSD-3-Clause
// How services with an agreement were kept, minute by minute, for what is credited when a promise
// was not (billing/agreement.h). Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "billing/ledger_closing.h"

namespace anabranch::control {

class Minutes {
 public:
  explicit Minutes(std::string gateway) : gateway_(std::move(gateway)) {}

  // What a service is like in this second. Latency is one way, loss what is left of it after
  // repair, 0 to 1; neither counts when it is not available.
  struct Second {
    bool available = false;
    double latency_ms = 0, loss = 0;
  };
  void add(uint64_t service, const Second& second, int64_t wall_ns);

  // Minutes that are over. A second in which nobody looked was none in which it was available.
  std::vector<billing::Measurement> take(int64_t wall_ns);

 private:
  struct Sum {
    uint32_t available = 0;
    double latency_ms = 0, loss = 0;
  };
  billing::Measurement measurement(uint64_t service, int64_t minute, const Sum& sum) const;

  std::string gateway_;
  std::map<std::pair<int64_t, uint64_t>, Sum> sums_;  // by minute since 1970 and service
};

}  // namespace anabranch::control
