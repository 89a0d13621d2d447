// SPDX-License-Identifier: BSD-3-Clause
// How far clients are into their tariffs, looked up aside now and then: what an octet more costs
// them hangs on it (billing/tariff_use.h). Control thread.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <set>
#include <string>

#include <tl/expected.hpp>

#include "billing/tariff_use.h"

namespace anabranch::control {

class TariffUses {
 public:
  using Clock = std::chrono::steady_clock;
  using Clients = std::set<std::string>;
  using ByClient = std::map<std::string, billing::TariffUse>;
  using Look = std::function<tl::expected<ByClient, std::string>(const Clients&)>;
  static constexpr auto kLookEvery = std::chrono::seconds(15);  // and ten times what a look takes

  // `look` is called aside (or, deferred, when it is asked for what it found); `changed` with what
  // it found.
  TariffUses(Look look, std::function<void(ByClient)> changed, std::launch how = std::launch::async)
      : look_(std::move(look)), changed_(std::move(changed)), how_(how) {}

  // Every second. `wanted`: asked when it is time.
  void tick(const std::function<Clients()>& wanted, Clock::time_point now);

 private:
  const Look look_;
  const std::function<void(ByClient)> changed_;
  const std::launch how_;
  std::future<tl::expected<ByClient, std::string>> looking_;
  Clock::time_point look_at_{}, began_{};
  std::string told_;  // the last problem
};

}  // namespace anabranch::control
