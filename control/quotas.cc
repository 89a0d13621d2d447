// SPDX-License-Identifier: BSD-3-Clause
#include "control/quotas.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "billing/wall_clock.h"
#include "control/octets.h"

namespace anabranch::control {
namespace {

using billing::Direction;
using dataplane::Uint128;
using nlohmann::json;

constexpr double kLatelyKept = 0.5;  // of what was used in the seconds before
constexpr std::array kOfWords{"uplink", "network", "provider"};
constexpr std::array kCountsWords{"up", "down", "both"};
constexpr std::array kAtLimitWords{"stop", "slow", "pay"};

std::string what_follows(const Quota& quota) {
  switch (quota.at_limit) {
    case Quota::AtLimit::stop:
      return "clients' traffic takes other paths";
    case Quota::AtLimit::slow:
      return "the path is given " + rate_text(quota.slow_bps);
    case Quota::AtLimit::pay:
      return "what is more is paid for";
  }
  return {};
}

const char* state_of(const Quota& quota, const QuotaAccount::Standing& s) {
  if (!s.used_up()) return s.scarcity_percent() == 0 ? "ok" : "scarce";
  constexpr std::array kStates{"stopped", "slowed", "paying"};
  return kStates[static_cast<size_t>(quota.at_limit)];
}

std::string used_text(const Quota& quota, const QuotaAccount::Standing& s) {
  return fmt::format("of its quota \"{}\", {} until {}, {} % is used", quota.id,
                     rounded_octets_text(s.allowed), quota.cycle.zone.text(s.cycle.to_ns),
                     s.percent());
}

void say(PathState& path, const std::string& sentence) {
  path.quota += (path.quota.empty() ? "" : "; ") + sentence;
}

void slow_down(PathState& path, uint64_t bps) {
  path.rate_up_bps = std::min(path.rate_up_bps, bps);
  path.rate_down_bps = std::min(path.rate_down_bps, bps);
}

// Out of the choice like one that is dead, but with another reason.
void leave_out(PathState& path) {
  path.alive = false;
  path.used_up = true;
}

// What is scarce is dearer, at most twice as dear, or by the price of what is beyond.
void make_dearer(PathState& path, const Quota& quota, unsigned percent) {
  const Uint128 whole = quota.overage_attos_per_octet != 0 ? quota.overage_attos_per_octet
                                                           : path.price_attos_per_octet;
  path.price_attos_per_octet += whole * percent / 100;
}

void apply_one(const Quota& quota, const QuotaAccount::Standing& s, PathState& path) {
  const unsigned scarce = s.scarcity_percent();
  if (scarce == 0) return;
  if (!s.used_up()) {
    make_dearer(path, quota, scarce);
    return say(path, used_text(quota, s) +
                         fmt::format(", and {} % will be as it goes on: it counts as dearer",
                                     static_cast<uint64_t>(static_cast<Uint128>(s.projected) * 100 /
                                                           s.allowed)));
  }
  say(path, used_text(quota, s) + ": " + what_follows(quota));
  if (quota.at_limit == Quota::AtLimit::stop) leave_out(path);
  if (quota.at_limit == Quota::AtLimit::slow) slow_down(path, quota.slow_bps);
  if (quota.at_limit == Quota::AtLimit::pay) make_dearer(path, quota, 100);
}

}  // namespace

json to_json(const QuotaAlert& alert) {
  return {{"quota", alert.quota},
          {"percent", alert.percent},
          {"used", alert.used},
          {"allowed", alert.allowed},
          {"at", instant_text(alert.at_ns / 1'000'000'000)},
          {"cycle_end", alert.cycle_end},
          {"what_follows", alert.what_follows}};
}

Quotas::Quotas(const Config& config, const DocumentStore& documents, dataplane::PlanTable& plans,
               const dataplane::Workers& workers, const Places& places, std::string journal)
    : config_(config),
      documents_(documents),
      journal_(std::move(journal)),
      allowances_(plans, workers) {
  for (const PlaceInfo& place : places) {
    if (place.catalogue == 0) continue;
    const UplinkConfig& uplink = config_.uplinks[place.uplink];
    names_[place.catalogue] = {uplink.name, uplink.provider, uplink.network};
  }
}

Quotas::History Quotas::read_history(std::vector<QuotaAccount> accounts, const std::string& journal,
                                     int64_t now_ns) {
  History history{.accounts = std::move(accounts)};
  int64_t since_ns = now_ns;
  for (const QuotaAccount& account : history.accounts)
    since_ns = std::min(since_ns, account.wanted_since_ns(now_ns));
  const auto add = [&](const billing::Catalogue::Path& path, Direction direction, uint64_t octets,
                       const billing::Period& time) {
    for (QuotaAccount& account : history.accounts) account.add(path, direction, octets, time);
  };
  if (const auto read = history.totals.read(journal, since_ns, add); !read)
    history.error = read.error();
  for (QuotaAccount& account : history.accounts) account.known_since(history.totals.begin_ns());
  return history;
}

// On a thread of its own: a month of a large journal takes seconds. Meanwhile the quotas are as
// they were.
void Quotas::look_at_documents(int64_t now_ns) {
  if (reading_.valid() || documents_of_ == documents_.quotas_version()) return;
  documents_of_ = documents_.quotas_version();
  std::vector<QuotaAccount> accounts;
  for (const auto& [id, quota] : documents_.quotas()) accounts.emplace_back(quota);
  if (accounts.empty()) {
    accounts_.clear();
    return;
  }
  reading_ = std::async(std::launch::async, read_history, std::move(accounts), journal_, now_ns);
}

// What meters have counted since is counted next: from where the journal ends.
void Quotas::adopt(History history) {
  if (!history.error.empty())
    spdlog::error("quotas: what was used before is not known in full: {}", history.error);
  for (QuotaAccount& account : history.accounts) {
    const auto earlier = std::find_if(
        accounts_.begin(), accounts_.end(),
        [&](const QuotaAccount& other) { return other.quota().id == account.quota().id; });
    if (earlier != accounts_.end()) account.told_as(*earlier);
  }
  accounts_ = std::move(history.accounts);
  totals_ = std::move(history.totals);
}

void Quotas::wait(const Usage& usage) {
  const int64_t now_ns = billing::wall_now_ns();
  look_at_documents(now_ns);
  if (!reading_.valid()) return;
  adopt(reading_.get());
  // What an earlier process told is not told again.
  for (QuotaAccount& account : accounts_) account.take_alerts(now_ns);
  second(usage);
}

void Quotas::second(const Usage& usage) {
  const int64_t now_ns = billing::wall_now_ns();
  look_at_documents(now_ns);
  if (reading_.valid() && reading_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
    adopt(reading_.get());
  allowances_.take_readings();
  if (!accounts_.empty()) count(usage, now_ns);
  divide();
  publish();
}

void Quotas::count(const Usage& usage, int64_t now_ns) {
  for (auto& [place, octets] : lately_) octets *= kLatelyKept;
  totals_.read(usage.totals(), names_, now_ns,
               [&](const billing::Catalogue::Path& path, Direction direction, uint64_t octets,
                   const billing::Period& time) {
                 lately_[{path.name, direction}] += static_cast<double>(octets);
                 for (QuotaAccount& account : accounts_) account.add(path, direction, octets, time);
               });
  standings_.clear();
  for (QuotaAccount& account : accounts_) {
    standings_.push_back(account.at(now_ns));
    tell(account, now_ns);
  }
}

void Quotas::tell(QuotaAccount& account, int64_t now_ns) {
  const Quota& quota = account.quota();
  const QuotaAccount::Standing& s = standings_.back();
  std::erase_if(alerts_, [&](const QuotaAlert& alert) {
    return alert.quota == quota.id && alert.at_ns < s.cycle.from_ns;
  });
  for (const unsigned percent : account.take_alerts(now_ns)) {
    alerts_.push_back({.quota = quota.id,
                       .percent = percent,
                       .used = s.used,
                       .allowed = s.allowed,
                       .at_ns = now_ns,
                       .cycle_end = quota.cycle.zone.text(s.cycle.to_ns),
                       .what_follows = what_follows(quota)});
    const QuotaAlert& alert = alerts_.back();
    spdlog::warn("quota {}: {} % of {} is used; the cycle ends {}{}", alert.quota, alert.percent,
                 rounded_octets_text(alert.allowed), alert.cycle_end,
                 percent == 100 ? "; " + alert.what_follows : "");
    if (told_) told_(alert);
  }
}

bool Quotas::covers(const Quota& quota, const PathConfig& path) const {
  const UplinkConfig& uplink = *config_.find_uplink(path.uplink);
  return quota.covers(uplink.name, uplink.network, uplink.provider);
}

void Quotas::divide() {
  left_ = {};
  for (size_t i = 0; i < std::min(accounts_.size(), standings_.size()); ++i)
    divide(accounts_[i].quota(), standings_[i]);
}

// Among the paths and directions that use it, so that together they stop at it whoever is away.
void Quotas::divide(const Quota& quota, const QuotaAccount::Standing& standing) {
  if (quota.at_limit == Quota::AtLimit::pay) return;
  std::vector<Allowance*> claims;
  std::vector<double> lately;
  for (const PathConfig& path : config_.peer.paths) {
    if (!covers(quota, path)) continue;
    Left& left = left_[path.id];
    left.used_up = left.used_up || standing.used_up();
    for (const Direction direction : {Direction::sent, Direction::received}) {
      // Used up, it counts for both directions, whichever was counted.
      if (!standing.used_up() && !quota.covers(direction)) continue;
      claims.push_back(direction == Direction::sent ? &left.up : &left.down);
      lately.push_back(lately_[{path.uplink, direction}]);
    }
  }
  if (claims.empty()) return;
  const auto parts = parts_of(standing.used_up() ? 0 : standing.left(), lately);
  for (size_t i = 0; i < claims.size(); ++i)
    *claims[i] = tighter(*claims[i], {parts[i], quota.slow_bps});
}

void Quotas::publish() {
  std::array<Allowance, dataplane::kPathsMax> own;
  for (size_t p = 0; p < own.size(); ++p) own[p] = left_[p].up;
  allowances_.leave(own);
}

Limits Quotas::for_peer() const {
  Limits limits;
  for (const PathConfig& path : config_.peer.paths) {
    const Left& left = left_[path.id];
    limits.paths.push_back({path.id, left.down.left, left.down.slow_bps, left.used_up});
  }
  return limits;
}

void Quotas::peer_said(const Limits& limits) {
  from_peer_ = limits;
  allowances_.peer_leaves(limits);
  publish();
}

const Limits::Path* Quotas::peers(uint8_t path) const {
  const auto found = std::find_if(from_peer_.paths.begin(), from_peer_.paths.end(),
                                  [&](const Limits::Path& p) { return p.id == path; });
  return found == from_peer_.paths.end() ? nullptr : &*found;
}

void Quotas::apply(PathState& path) const {
  for (size_t i = 0; i < std::min(accounts_.size(), standings_.size()); ++i) {
    const Quota& quota = accounts_[i].quota();
    if (quota.covers(path.name, path.network, path.provider)) apply_one(quota, standings_[i], path);
  }
  const Limits::Path* theirs = peers(path.index);
  if (theirs == nullptr || !theirs->used_up) return;
  say(path, "the quota that " + config_.peer.name + " has for it is used up");
  if (theirs->slow_bps == 0) return leave_out(path);
  slow_down(path, theirs->slow_bps);
}

json Quotas::usage() const {
  json result = json::array();
  for (size_t i = 0; i < std::min(accounts_.size(), standings_.size()); ++i) {
    const Quota& q = accounts_[i].quota();
    const QuotaAccount::Standing& s = standings_[i];
    json entry{{"id", q.id},
               {kOfWords[static_cast<size_t>(q.of)], q.name},
               {"counts", kCountsWords[static_cast<size_t>(q.counts)]},
               {"at_limit", kAtLimitWords[static_cast<size_t>(q.at_limit)]},
               {"allowed", s.allowed},
               {"rolled_over", s.rolled_over},
               {"used", s.used},
               {"left", s.left()},
               {"percent", s.percent()},
               {"projected", s.projected},
               {"cycle_begin", q.cycle.zone.text(s.cycle.from_ns)},
               {"cycle_end", q.cycle.zone.text(s.cycle.to_ns)},
               {"state", state_of(q, s)},
               {"alerts", json::array()}};
    for (const unsigned percent : q.alerts) {
      if (s.passed(percent)) entry["alerts"].push_back(percent);
    }
    result.push_back(std::move(entry));
  }
  return result;
}

json Quotas::alerts() const {
  json result = json::array();
  for (const QuotaAlert& alert : alerts_) result.push_back(to_json(alert));
  return result;
}

}  // namespace anabranch::control
