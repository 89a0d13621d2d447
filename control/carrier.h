// SPDX-License-Identifier: BSD-3-Clause
// Puts services in force in the data plane: slots, plans, rules. Knows nothing of why.
// Runs on the control thread, the only one that publishes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "control/compile.h"
#include "dataplane/meter.h"
#include "dataplane/plan_table.h"

namespace anabranch::control {

// A service this gateway carries, its client's or the peer's.
struct Carried {
  // Ids of visiting services, which the peer admitted and bills, have the top bit set here.
  static constexpr uint64_t kVisitor = uint64_t{1} << 63;
  uint64_t id = 0;
  std::string client;
  uint16_t slot = 0;
  uint32_t receiver = 0;           // our receiver index
  uint32_t peer_receiver = 0;      // the peer's; 0: it has not accepted yet, nothing is sent
  Carriage carriage;               // as we send it
  std::vector<TrafficRule> rules;  // source is our LAN
  bool open = true;                // false: no new traffic into it
  bool suspended = false;          // no traffic of ours into it, for the time being
  bool visiting() const { return (id & kVisitor) != 0; }
};

class Carrier {
 public:
  Carrier(dataplane::PlanTable& plans, dataplane::Meters& meters);

  // Takes a slot (the one its meters are in already, after a restart). The error: all are taken, or
  // there is no room for more meters.
  tl::expected<Carried*, std::string> add(uint64_t id, const std::string& client,
                                          std::vector<TrafficRule> rules, const Carriage& carriage);
  // After a restart: slots of services that are not in `open` are free.
  void release_others(const std::set<uint64_t>& open);
  Carried* find(uint64_t id);
  const Carried* find(uint64_t id) const { return const_cast<Carrier*>(this)->find(id); }
  const std::map<uint64_t, Carried>& all() const { return services_; }

  // Each publishes what changed.
  void set_carriage(Carried& service, const Carriage& carriage);
  void set_rules(Carried& service, std::vector<TrafficRule> rules);
  void set_suspended(Carried& service, bool suspended);
  void set_peer_receiver(Carried& service, uint32_t receiver);
  void renew_receiver(Carried& service);  // and forgets the peer's
  void close(Carried& service);           // its rules go
  // Its plan goes; `done` is called when no worker can count into its meters any more.
  void withdraw(Carried& service, std::function<void()> done);
  // Its slot goes: only after withdraw() is done and its meters were read for the last time.
  void forget(uint64_t id);

  // The house: what carries beats. 0 as the peer's: no session.
  void set_house(uint32_t receiver, uint32_t peer_receiver);
  uint32_t house_receiver() const { return house_receiver_; }
  uint32_t new_receiver(uint16_t slot);

  void set_path_sizes(const PathSizes& sizes);
  uint16_t paths_in_use() const { return paths_in_use_; }  // bit p: a plan uses path p
  // Octets ever counted for a service, both directions.
  uint64_t octets(const Carried& service) const;
  // Of the client's own packets (first sends), by path, both directions.
  using ByPath = std::array<uint64_t, dataplane::kPathsMax>;
  ByPath first_octets(const Carried& service) const;

  // Now and then: frees what was replaced.
  void tick();

 private:
  tl::expected<uint16_t, std::string> take_slot(uint64_t id);
  void publish(const Carried& service);
  // So many services more, or less, that are carried like this.
  void count_paths(const Carriage& carriage, int services);
  // Many rules are compiled by a thread beside this one, as that may take a second; those of all
  // changes meanwhile are the next.
  struct Compiled {
    uint64_t version = 0;
    std::unique_ptr<dataplane::Ruleset> rules;
  };
  void change_rules();
  void bring_rules_into_force();
  void publish_rules(Compiled compiled);

  dataplane::PlanTable& plans_;
  dataplane::Meters& meters_;
  std::map<uint64_t, Carried> services_;
  std::array<int, dataplane::kPathsMax> users_{};  // by path
  uint16_t paths_in_use_ = 0;
  PathSizes path_sizes_{};
  uint32_t house_receiver_ = 0;
  uint64_t rules_wanted_ = 0, rules_in_force_ = 0;
  std::future<Compiled> compiling_;
  // Told when its rules are out of force and every worker has been round twice since: once to send
  // no more for the service, once to send and count what others had handed over to it.
  struct Withdrawn {
    uint64_t rules = 0;  // the first version without its own
    std::function<void()> done;
  };
  std::vector<Withdrawn> withdrawn_;
  std::vector<std::function<void()>> drained_;
};

}  // namespace anabranch::control
