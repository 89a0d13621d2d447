// SPDX-License-Identifier: BSD-3-Clause
// Which clients that pay ahead have used up what they may use at this gateway.
//
// Aside, every few seconds, what they used is priced by the journal as a statement would, and a
// part of their credit is reserved for this gateway. In between, what they use is estimated from
// the meters each second, so that nobody uses more than is reserved for longer than that. What
// cannot be renewed ends with its time, too. Control thread.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <string>

#include <tl/expected.hpp>

#include "billing/credit.h"
#include "billing/payer.h"

namespace anabranch::control {

class Credits {
 public:
  using Clock = std::chrono::steady_clock;
  using Asked = std::map<std::string, billing::CreditAsked>;  // by account
  using Look = std::function<tl::expected<billing::CreditReport, std::string>(const Asked&)>;
  using ByClient = std::map<std::string, billing::Standing>;
  // By client with services here: what its octets would have cost so far, by an estimate that only
  // grows.
  using Spent = std::map<std::string, billing::Amount>;

  // `look` is called aside (or, deferred, when it is asked for what it found). `changed`: whenever
  // others are used up than before, and what becomes of them; at first they are none.
  Credits(Look look, std::function<void(const ByClient&)> changed,
          std::launch how = std::launch::async)
      : look_(std::move(look)), changed_(std::move(changed)), how_(how) {}

  // Every second.
  void tick(const Spent& spent, Clock::time_point now);
  // Whose spending is wanted: clients that pay ahead.
  bool pays_ahead(const std::string& client) const { return clients_.contains(client); }

 private:
  struct Client {
    billing::Credit credit;
    billing::Amount spent_at_pricing, spent_at_look;  // when it began
    Clock::time_point until;
    bool is_used_up = false;
  };
  bool is_wanted(const Spent& spent, Clock::time_point now) const;
  void begin(const Spent& spent, Clock::time_point now);
  void take(const billing::CreditReport& report);
  void tell(const tl::expected<billing::CreditReport, std::string>& report);
  void judge(const Spent& spent, Clock::time_point now);
  billing::Amount began_with(const std::string& client) const;

  const Look look_;
  const std::function<void(const ByClient&)> changed_;
  const std::launch how_;
  std::map<std::string, Client> clients_;
  std::future<tl::expected<billing::CreditReport, std::string>> looking_;
  Spent spent_at_begin_;
  Clock::time_point look_at_{}, price_at_{}, began_{};
  bool is_pricing_ = false;
  ByClient used_up_;
  std::string told_;  // problems
};

// Of a client that is in both, what leaves it less.
Credits::ByClient stricter(const Credits::ByClient& a, const Credits::ByClient& b);

}  // namespace anabranch::control
