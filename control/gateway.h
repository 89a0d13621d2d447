// SPDX-License-Identifier: BSD-3-Clause
// A gateway: everything put together, in the order in which it starts.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/api.h"
#include "control/arrears.h"
#include "control/attendance.h"
#include "control/chronicle.h"
#include "control/credits.h"
#include "control/flow_export.h"
#include "control/flow_files.h"
#include "control/flow_records.h"
#include "control/quotas.h"
#include "control/reload.h"
#include "control/tariff_uses.h"
#include "control/topology.h"
#include "control/watch.h"
#include "dataplane/ports.h"
#include "dataplane/telemetry.h"
#include "dataplane/workers.h"

namespace anabranch::control {

class Gateway {
 public:
  // Starts it all but the loops. The error is one sentence; what was started is stopped again.
  static tl::expected<std::unique_ptr<Gateway>, std::string> open(
      Config config, DocumentStore documents, std::unique_ptr<Identity> identity);
  ~Gateway();

  // Until SIGTERM or SIGINT; SIGHUP reads the configuration again. Then: no new requests, the
  // worker stops, the last usage is journaled ports stop. The error: the last usage could not be
  // journaled; it is kept, and journaled at the next start.
  tl::expected<void, std::string> run();

 private:
  using Status = tl::expected<void, std::string>;
  Gateway(Config config, DocumentStore documents, std::unique_ptr<Identity> identity);
  Status open_ports();
  Status open_port(const PortConfig& config, PortFacts& facts);
  Status check_interfaces();
  Status open_books();
  Status open_meters();
  Status open_witness();
  Status open_workers();
  void open_telemetry();
  Status open_control();
  void watch_payments();
  void open_chronicle();
  void open_flows();
  void put_flows(std::vector<billing::FlowRecord> records);
  void put_last_flows();
  void flush(std::function<void(Books::Status)> done, bool totals);
  void tick();
  void second();
  void start_workers();
  void stop_workers();
  void watch_signals();
  Places current_places();
  Answer reload();  // gateway_reload.cc
  nlohmann::json counters() const;
  nlohmann::json status() const;
  nlohmann::json counted() const;
  Counted count_paths() const;
  void keep_keys();
  void keep_quotas();

  Config config_;
  ConfigFields fields_;  // of the file, as they are in force
  DocumentStore documents_;
  std::unique_ptr<Identity> identity_;
  Loop loop_;
  std::unique_ptr<Books> books_;

  rte_mempool* pool_ = nullptr;
  rte_mempool* frames_ = nullptr;
  std::vector<dataplane::Port> ports_;  // the LAN's first
  PortFacts lan_;
  std::vector<PortFacts> uplinks_;
  std::optional<dataplane::Meters> meters_;
  Places places_;
  std::unique_ptr<Usage> usage_;
  std::optional<Witness> witness_;
  std::vector<uint8_t> shared_uplinks_;

  dataplane::PlanTable plans_;
  std::unique_ptr<dataplane::Workers> workers_;
  std::optional<dataplane::Telemetry> telemetry_;
  std::atomic<bool> workers_stop_{false};
  bool workers_running_ = false;

  std::optional<Neighbours> neighbours_;
  std::unique_ptr<Topology> topology_;
  std::unique_ptr<Carrier> carrier_;
  std::unique_ptr<PathMonitor> monitor_;
  std::unique_ptr<Attendance> attendance_;
  std::unique_ptr<Keyring> keyring_;
  std::unique_ptr<Quotas> quotas_;
  std::unique_ptr<Peering> peering_;
  std::unique_ptr<Feed> feed_;
  std::unique_ptr<DecisionLog> decisions_;
  std::unique_ptr<Chronicle> chronicle_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Market> market_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<Arrears> arrears_;
  std::unique_ptr<Credits> credits_;
  std::unique_ptr<TariffUses> tariff_uses_;
  Arrears::ByClient overdue_;
  Credits::ByClient used_up_;
  std::unique_ptr<Shopfront> shop_;
  std::unique_ptr<FlowRecords> flow_records_;  // nullptr: nothing is recorded of flows
  std::unique_ptr<FlowExport> flow_export_;    // nullptr: to no collector
  std::unique_ptr<FlowFiles> flow_files_;      // nullptr: into no files
  std::unique_ptr<Api> api_;
  bool flushing_ = false;
  int told_ = 0;
  int signal_fd_ = -1;
};

}  // namespace anabranch::control
