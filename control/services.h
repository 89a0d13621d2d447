// SPDX-License-Identifier: BSD-3-Clause
// The Analysis Module's services: admits clients' requests, keeps each service's preferred scenario
// in force in both directions, and ends it without losing an octet. Control thread.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "billing/tariff_use.h"
#include "control/admission.h"
#include "control/chronicle.h"
#include "control/decision.h"
#include "control/document_store.h"
#include "control/forecast.h"
#include "control/market.h"
#include "control/minutes.h"
#include "control/path_monitor.h"
#include "control/peering.h"
#include "control/rating_history.h"
#include "control/recompute.h"
#include "control/spending.h"
#include "control/topology.h"

namespace anabranch::control {

class Services {
 public:
  using Reply = std::function<void(Answer)>;
  // Reads the meters and journals them; `done` on the control thread.
  using Flush = std::function<void(std::function<void(Books::Status)> done)>;

  Services(const Config& config, DocumentStore& documents, Books& books, Carrier& carrier,
           Peering& peering, PathMonitor& paths, const Topology& topology, Market& market,
           Flush flush, Chronicle& chronicle);

  // What is to be known of each path besides what is measured, before a scenario is chosen.
  void adjust_paths(std::function<void(PathState&)> adjust) { adjust_ = std::move(adjust); }

  // After a restart: services that were open go on, with their slots and meters.
  tl::expected<void, std::string> reopen();

  // A client's request. Replies when the service is in force (201), or could not be brought into
  // force (then it is as if it had not been asked for), or is refused. Asked for again with the
  // same key it is answered as it is (200).
  void request(const nlohmann::json& document, Reply reply);
  // The service as asked for anew: the same client, other traffic, limits or times. Replies when
  // it is decided (200), or is refused; then nothing has changed.
  void change(uint64_t id, const Caller& caller, const nlohmann::json& document, Reply reply);
  // No new traffic; what is under way arrives; the last usage is journaled. Replies when all is
  // done.
  // Another client's service is unknown to `caller`.
  void end(uint64_t id, const Caller& caller, Reply reply);
  // What a client would be given now, of at most that rate each way; nullopt: nothing.
  struct Offer {
    Scenario scenario;
    std::string currency;
  };
  std::optional<Offer> offer(const std::string& client, uint64_t rate_bps) const;
  std::optional<uint64_t> id_of_key(const std::string& client, const std::string& key) const;
  Answer show(uint64_t id, const Caller& caller) const;
  Answer list(const Caller& caller) const;
  Answer paths() const;
  Answer ratings() const;
  const Ratings& rated() const { return ratings_; }
  // What the service's scenario is decided by now: to be explained elsewhere, for that takes long.
  tl::expected<Decision, Answer> decision(uint64_t id, const Caller& caller) const;

  // What is ordered now, of paths that are ours by order alone.
  Ordered ordered() const;

  // Clients with services here of which an octet's price hangs on what they used before it; and
  // what they did, by client.
  std::set<std::string> priced_by_use() const;
  void set_tariff_uses(std::map<std::string, billing::TariffUse> uses) { uses_ = std::move(uses); }

  // Clients of which a statement is overdue, or what they paid ahead is used up: their services are
  // restricted or suspended, as the profile says; those of all others are not any more.
  using Overdue = std::map<std::string, billing::Standing>;
  void set_overdue(const Overdue& overdue);

  // Of clients of whom this says so it is counted what they use, whatever budget they have.
  void count_spending(std::function<bool(const std::string& client)> of) {
    counts_spending_of_ = std::move(of);
  }
  // By client with services here; nothing for those that are not counted.
  std::map<std::string, billing::Amount> spent_by_client() const;

  // Peering's events.
  void announce_all();
  void refused(uint64_t id, const std::string& reason);

  // Every 5 ms: links that died or came back.
  void react();
  // Every 20 ms: accepted services, services that end.
  void tick();
  // Every second: what the paths are rated; every scenario anew, and how those are that are in
  // force.
  void rate();
  void recompute();
  void look();

 private:
  using Clock = std::chrono::steady_clock;
  // scheduled: it begins later, and is known to the books alone. unpaid: all has arrived, but its
  // last usage could not be journaled yet.
  enum class State : uint8_t { scheduled, starting, active, ending, closing, unpaid };
  struct Service {
    ServiceRequest request;
    int64_t asked_s = 0;  // Unix time
    State state = State::starting;
    Scenario scenario;
    std::string currency;      // of the client's tariff
    std::string note;          // what of the request cannot be kept at present
    std::optional<View> view;  // of the paths, by which it was decided last
    Carriage down;             // as the peer sends
    Reply reply;
    Clock::time_point since;
    Clock::time_point short_since;  // its request is not kept since then
    Clock::time_point negotiated;   // when other providers were asked last
    uint64_t octets = 0;            // at the last look, while ending
  };

  // Of a client, what its services are decided by; of a request, the profile as it is for its
  // traffic.
  struct Terms {
    const Profile& profile;
    const billing::Tariff& tariff;
    const std::vector<Objective>& objectives;  // of the agreement
    const billing::TariffUse* use;             // of the tariff, in this period; null: not known
  };
  tl::expected<Terms, Answer> terms_of(const std::string& client) const;
  tl::expected<Terms, Answer> terms_of(const ServiceRequest& request) const;
  static ServiceRequest for_choice(const ServiceRequest& request, const Terms& terms) {
    return control::for_choice(request, terms.profile, terms.objectives);
  }
  // As they are measured now, and were over each window.
  std::vector<PathState> measured_paths() const;
  // What may be used at a time (UTC), with what the client is charged for it.
  std::vector<PathState> charged_paths(const Terms& terms, int64_t at_ns) const;
  // The same for a choice: what is scarce is dearer.
  std::vector<PathState> priced_paths(const Terms& terms, int64_t at_ns) const;
  // Those of now, once for services of equal terms.
  using Priced = std::map<std::tuple<std::string, std::string, const billing::TariffUse*>,
                          PricedPaths>;  // profile, tariff
  const PricedPaths& priced_now(const Terms& terms, Priced& priced) const;
  // Whether it may be used then; with what of it is ours.
  bool make_usable(PathState& path, const Profile& profile, int64_t at_ns) const;
  // What a scenario is decided by now. `id`: the service that has it; none yet.
  tl::expected<Decision, Answer> inputs(const ServiceRequest& request, const Scenario* in_force,
                                        std::optional<uint64_t> id = {}) const;
  Decision inputs(const PricedPaths& priced, const View& view, const Profile& profile,
                  const ServiceRequest& request, const Scenario* in_force) const;
  // What services of this priority or a higher one have set aside while `request` lasts, but for
  // `id`. A request without a rate leaves to all others what they have set aside.
  View view_of(const ServiceRequest& request, const Profile& profile,
               std::optional<uint64_t> id) const;
  Ruling choose(const ServiceRequest& request, const Scenario* in_force,
                std::optional<uint64_t> id = {}) const;
  // Of services that are equal, what is told and put on record.
  struct Told {
    Ruling refused, changed;
  };
  using Rulings = std::map<uint32_t, Told>;  // by kind of a round
  void decide();
  void decide_and_tell();
  void look_at_paths();
  // How many services have the path in their scenario, by path.
  std::array<size_t, dataplane::kPathsMax> users() const;
  void adopt(uint64_t id, const Asking& asking, const Decided& decided, Told& told);
  void look_at_forecasts(int64_t now_s);
  static bool is_carried(const Service& service) {
    return service.state == State::starting || service.state == State::active;
  }
  tl::expected<void, std::string> carry(uint64_t id, Service& service);
  void end(uint64_t id, Service& service, Reply reply);
  void end_scheduled(uint64_t id, Reply reply);
  // nullptr: there is none, or it is another client's.
  const Service* find(uint64_t id, const Caller& caller) const;
  std::optional<Answer> known_by_key(const ServiceRequest& request) const;
  static Answer key_is_in_use(uint64_t by, const std::string& key);
  void note_key(uint64_t id, const ServiceRequest& request);
  void forget_key(uint64_t id, const ServiceRequest& request);
  static Answer unknown(uint64_t id);
  void open(const ServiceRequest& request, Ruling ruling, Reply reply);
  // services_market.cc
  std::vector<PathState> for_sale(const Profile& profile) const;
  std::vector<std::string> who_helps(const ServiceRequest& request, const Terms& terms,
                                     const std::vector<PathState>& own,
                                     uint64_t bandwidth_mbps) const;
  negotiation::Ranking ranking_by(const Profile& profile) const;
  // nullopt: nobody can be asked.
  std::optional<Market::Need> need_of(const ServiceRequest& request, int64_t asked_s,
                                      std::optional<uint64_t> id = {}) const;
  std::optional<Market::Need> need_again(const Order& order) const;
  void negotiate(const ServiceRequest& request, Market::Need need, const Answer& refusal,
                 Reply reply);
  void negotiate_for(uint64_t id, Service& service);
  // Why no scenario keeps the request now, as a sentence; empty: one does.
  std::string refusal_of(const ServiceRequest& request, std::optional<uint64_t> id) const;
  bool needs(const Order& order) const;

  void begin_what_is_due();
  void end_what_is_over();
  void spend();
  bool is_spent(uint64_t id, const Service& service) const;
  void keep();
  const billing::Standing* standing_of(const Service& service) const;
  void put_in_force(uint64_t id, Service& service, const Scenario& scenario);
  // True: it is looked at again.
  bool tick(uint64_t id, Service& service);
  void tick_starting(uint64_t id, Service& service);
  void tick_ending(uint64_t id, Service& service);
  void give_up(uint64_t id, Service& service, Answer answer);
  void close(uint64_t id);
  nlohmann::json to_json(uint64_t id, const Service& service) const;

  const Config& config_;
  DocumentStore& documents_;
  Books& books_;
  Carrier& carrier_;
  Peering& peering_;
  PathMonitor& paths_;
  const Topology& topology_;
  Market& market_;
  Flush flush_;
  Chronicle& chronicle_;
  std::function<void(PathState&)> adjust_;
  std::map<uint64_t, Service> services_;
  std::set<uint64_t> moving_;  // those that start or end: a tick looks at no others
  std::map<std::pair<std::string, std::string>, uint64_t> by_key_;  // client, key
  uint16_t alive_ = 0;
  std::array<Clock::time_point, dataplane::kPathsMax> seen_alive_{};  // by path
  Minutes minutes_;
  RatingHistory history_;
  Forecasts forecasts_;
  Ratings ratings_;
  Rounds rounds_;
  Clock::time_point rated_at_;
  std::map<std::string, billing::TariffUse> uses_;  // by client
  Overdue overdue_;                                 // by client
  Spending spending_;
  std::function<bool(const std::string&)> counts_spending_of_;
  std::map<std::string, billing::Amount> spent_by_client_;
  std::set<uint64_t> counted_;  // services that were counted for their client
  int64_t kept_at_s_ = 0;       // history and spending, on disk
};

}  // namespace anabranch::control
