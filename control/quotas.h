// SPDX-License-Identifier: BSD-3-Clause
// Quotas: what of them is used, by what the uplinks carried; what that means for the paths; and
// that somebody is told. Counts what bills are made of: the journal's totals of paths, and from
// there on the meters, so that a restart, or a kill, neither loses nor doubles an octet.
// Control thread.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "billing/path_totals.h"
#include "control/allowances.h"
#include "control/document_store.h"
#include "control/quota_account.h"
#include "control/scenario.h"
#include "control/usage.h"

namespace anabranch::control {

// A percentage was passed: once each in a cycle.
struct QuotaAlert {
  std::string quota;
  unsigned percent = 0;
  uint64_t used = 0, allowed = 0;
  int64_t at_ns = 0;         // Unix time
  std::string cycle_end;     // local time
  std::string what_follows;  // what is done at 100 %
};
nlohmann::json to_json(const QuotaAlert& alert);

class Quotas {
 public:
  // `journal`: the folder.
  Quotas(const Config& config, const DocumentStore& documents, dataplane::PlanTable& plans,
         const dataplane::Workers& workers, const Places& places, std::string journal);

  // Waits until it is known what the journal has of the cycles. For the start: nothing may be sent
  // before.
  void wait(const Usage& usage);
  // Once a second. Reads meters only where there are quotas.
  void second(const Usage& usage);
  // Called with each alert when it is told.
  void on_alert(std::function<void(const QuotaAlert&)> told) { told_ = std::move(told); }
  bool any() const { return !documents_.quotas().empty(); }

  // What a scenario is to know of a path: whether it may be used, how fast, what it costs, and why.
  void apply(PathState& path) const;
  // For what the peer sends on our paths; and its word on what we send.
  Limits for_peer() const;
  void peer_said(const Limits& limits);

  nlohmann::json usage() const;   // each quota's, for /v1/quota-usage
  nlohmann::json alerts() const;  // of the cycles in force

 private:
  struct History {
    std::vector<QuotaAccount> accounts;
    billing::PathTotals totals;
    std::string error;
  };
  static History read_history(std::vector<QuotaAccount> accounts, const std::string& journal,
                              int64_t now_ns);
  void look_at_documents(int64_t now_ns);
  void adopt(History history);
  void count(const Usage& usage, int64_t now_ns);
  void tell(QuotaAccount& account, int64_t now_ns);
  void divide();
  void divide(const Quota& quota, const QuotaAccount::Standing& standing);
  void publish();
  bool covers(const Quota& quota, const PathConfig& path) const;
  const Limits::Path* peers(uint8_t path) const;

  // What of all quotas of a path is left each way.
  struct Left {
    Allowance up, down;
    bool used_up = false;
  };

  const Config& config_;
  const DocumentStore& documents_;
  const std::string journal_;
  std::map<uint16_t, billing::Catalogue::Path> names_;  // of uplinks, by a place's catalogue id
  Allowances allowances_;

  std::optional<uint64_t> documents_of_;  // the version that accounts are of, or are being made of
  std::future<History> reading_;
  std::vector<QuotaAccount> accounts_;
  std::vector<QuotaAccount::Standing> standings_;  // of each, at the last look
  billing::PathTotals totals_;
  std::vector<QuotaAlert> alerts_;
  std::function<void(const QuotaAlert&)> told_;
  // Of each uplink each way, octets in the last seconds, the latest counting most.
  std::map<std::pair<std::string, billing::Direction>, double> lately_;
  std::array<Left, dataplane::kPathsMax> left_{};
  Limits from_peer_;
};

}  // namespace anabranch::control
