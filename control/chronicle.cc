// SPDX-License-Identifier: BSD-3-Clause
#include "control/chronicle.h"

#include <map>

#include "billing/wall_clock.h"

namespace anabranch::control {

using nlohmann::json;

void Chronicle::record(Ruling& decided) {
  if (!decided.decision) return;
  std::vector<uint64_t> ids;
  for (const auto& [id, client] : decided.services) ids.push_back(id);
  decisions_.put(billing::wall_now_ns(), std::move(ids), std::move(*decided.decision));
  decided.decision.reset();
}

void Chronicle::asked(Ruling decided) {
  record(decided);
}

// One event for all services of a client: each client sees its own.
void Chronicle::changed(Ruling decided) {
  std::map<std::string, std::vector<uint64_t>> by_client;
  for (const auto& [id, client] : decided.services) by_client[client].push_back(id);
  json data;
  if (decided.outcome && decided.decision)
    data["scenario"] = to_json(*decided.outcome, decided.decision->currency);
  if (!decided.outcome) data["note"] = decided.outcome.error().body.value("detail", "");
  for (const auto& [client, ids] : by_client) {
    data["services"] = ids;
    feed_.publish(decided.outcome ? "service-changed" : "service-degraded", data, client);
  }
  record(decided);
}

void Chronicle::path_left(const std::string& path, uint8_t id, size_t services, double after_ms) {
  feed_.publish("path-left",
                {{"path", path}, {"id", id}, {"left_by", services}, {"after_ms", after_ms}});
}

void Chronicle::service(const char* event, uint64_t id, const std::string& client, json data) {
  data["services"] = json::array({id});
  feed_.publish(event, std::move(data), client);
}

}  // namespace anabranch::control
