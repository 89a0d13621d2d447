// SPDX-License-Identifier: BSD-3-Clause
// From the workers' accounts of flows (dataplane/flow_accounts.h) to records that can be exported:
// with names, in wall-clock time, anonymised if so configured. Only of what is billed here, that is
// of home services. Control thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "billing/ipfix.h"
#include "control/carrier.h"
#include "control/config.h"
#include "dataplane/flow_accounts.h"

namespace anabranch::control {

class FlowRecords {
 public:
  // The same moment by both clocks: the workers' own, and time since 1970.
  struct Now {
    uint64_t worker_ns = 0;
    uint64_t wall_ms = 0;
  };
  // All must outlive it. `config` has [flows]; `accounts` are the workers'.
  FlowRecords(const Config& config, std::vector<dataplane::FlowAccounts*> accounts,
              const dataplane::MeterRegion& region, const Carrier& carrier);

  // What was handed out since; and each active_seconds what belongs to no flow.
  std::vector<billing::FlowRecord> take(const Now& now);
  // … all that is left, when the workers have ended.
  std::vector<billing::FlowRecord> take_last(const Now& now);

  // Before a slot may go to another service.
  void read_rest(const Now& now);

 private:
  struct Names {
    std::string uplink, provider;
    uint8_t ip_version = 4;  // of outer packets
  };
  struct RestKey {
    uint64_t service = 0;
    uint8_t path = 0;
    dataplane::Direction direction{};
    dataplane::Kind kind{};
    auto operator<=>(const RestKey&) const = default;
  };
  struct Rest {
    uint64_t octets = 0, overhead = 0, packets = 0;
    uint64_t since_ms = 0;
  };
  struct Client {
    std::string name;
    uint64_t seen_ns = 0;
  };
  using Known =
      std::array<std::array<std::array<Rest, dataplane::kRestKinds>, dataplane::kDirections>,
                 dataplane::kPathsMax>;

  void learn_clients(const Now& now);
  std::string client_of(uint64_t service) const;
  void take_handed_out(const Now& now, std::vector<billing::FlowRecord>& records);
  void take_rest(const Now& now, std::vector<billing::FlowRecord>& records);
  void read_rest_of(size_t worker, uint16_t slot, const Now& now);
  billing::FlowRecord record_of(const dataplane::AccountRecord& account, const Now& now) const;
  billing::FlowRecord begin_record(uint64_t service, uint8_t path, dataplane::Direction direction,
                                   dataplane::Kind kind) const;

  const FlowsConfig flows_;
  const std::vector<dataplane::FlowAccounts*> accounts_;
  const dataplane::MeterRegion& region_;
  const Carrier& carrier_;
  std::array<Names, dataplane::kPathsMax> names_;
  std::map<uint64_t, Client> clients_;   // by service; for some time after it has ended
  uint64_t learn_at_ns_ = 0;             // when clients_ is brought up to date next
  std::map<uint16_t, uint64_t> owners_;  // by slot: its last service
  std::map<std::pair<size_t, uint16_t>, Known> known_;  // by worker and slot: what was read last
  std::map<RestKey, Rest> rest_;                        // what was read and not exported
  uint64_t rest_due_ns_ = 0, rest_read_ms_ = 0;
};

}  // namespace anabranch::control
