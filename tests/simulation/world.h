// SPDX-License-Identifier: BSD-3-Clause
// Two gateways' real workers, the links between them and the hosts behind them, in one process and
// on a clock of their own: the same seed gives the same run.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/dataplane/gateway.h"
#include "tests/dataplane/link.h"
#include "tests/simulation/conditions.h"
#include "tests/simulation/hosts.h"

namespace anabranch::simulation {

// A bug in what a gateway puts out, counts or frees, to show that it would be found.
enum class Plant {
  none,
  duplicate,
  reorder,
  lose,
  corrupt,
  unmetered,
  unaccounted,
  leak,
  unbounded
};

// What came of a run. A promise that was broken is a sentence in `broken`.
struct Outcome {
  std::vector<std::string> broken;
  uint64_t packets = 0;   // of hosts
  uint64_t repaired = 0;  // segments sent again
  uint64_t dropped = 0;   // with a reason
};

class World {
 public:
  World(const Conditions& conditions, rte_mempool* pool, Plant plant, uint8_t workers = 1);
  ~World();
  Outcome run();

 private:
  void set_up_service(dataplane::Gateway& gateway);
  void step();
  void poll(dataplane::Gateway& gateway, uint64_t now, bool up);
  void hand_to_hosts(dataplane::Gateway& gateway, bool up);
  void hear(bool up, const Bytes& ip);
  void set_links(uint64_t since_begin);
  void attack();
  Bytes frame_on(uint8_t path, const Bytes& segment) const;
  Bytes noise(size_t octets);
  void plant_elsewhere();
  size_t buffers_under_way() const;
  size_t buffers_in_use() const;
  size_t memory_limit() const;
  bool at_rest() const;

  void expect(bool holds, const std::string& otherwise);
  void check_memory();
  void check_hosts(bool up);
  void check_meters(bool up);
  void check_flows(dataplane::Gateway& gateway);

  dataplane::Gateway& near(bool up) { return up ? *a_ : *b_; }
  dataplane::Gateway& far(bool up) { return up ? *b_ : *a_; }
  dataplane::Link& link(bool up, uint8_t path) { return *(up ? there_ : back_)[path - 1u]; }

  const Conditions& conditions_;
  rte_mempool* const pool_;
  const Plant plant_;
  const unsigned buffers_before_;
  bool planted_ = false;
  Bytes kept_;  // by Plant::reorder
  std::vector<rte_mbuf*> leaked_;
  std::mt19937_64 random_;
  std::unique_ptr<dataplane::Gateway> a_, b_;
  std::vector<std::unique_ptr<dataplane::Link>> there_, back_;
  std::vector<Bytes> seen_;  // by the adversary on the path
  std::unique_ptr<Hosts> hosts_;
  uint64_t now_ = 10 * dataplane::kSecond;
  uint64_t begin_ = 0;
  Outcome outcome_;
};

}  // namespace anabranch::simulation
