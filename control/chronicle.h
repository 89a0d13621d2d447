// SPDX-License-Identifier: BSD-3-Clause
// What the Analysis Module decided and what became of services: to the record, and to whoever
// listens. Control thread; never waits.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/decision_log.h"
#include "control/document_store.h"
#include "control/feed.h"

namespace anabranch::control {

// A decision and what came of it.
struct Ruling {
  // Inputs and choice; nullopt: nothing was decided, for the client's documents are incomplete.
  std::optional<Decision> decision;
  tl::expected<Scenario, Answer> outcome;
  // For which it was put in force, or whose request it refuses now; with their clients.
  std::vector<std::pair<uint64_t, std::string>> services;
};

class Chronicle {
 public:
  Chronicle(DecisionLog& decisions, Feed& feed) : decisions_(decisions), feed_(feed) {}

  // Another scenario for its services, or their requests cannot be kept any more.
  void changed(Ruling decided);
  // What was decided when a service was asked for, or a change of one that is refused.
  void asked(Ruling decided);
  // Carried from now on; kept again as it was asked for; not any more.
  void service(const char* event, uint64_t id, const std::string& client, nlohmann::json data = {});
  // A path died, and scenarios without it are in force, at most so long after it was found dead.
  void path_left(const std::string& path, uint8_t id, size_t services, double after_ms);

 private:
  void record(Ruling& decided);

  DecisionLog& decisions_;
  Feed& feed_;
};

}  // namespace anabranch::control
