// SPDX-License-Identifier: BSD-3-Clause
#include "control/arrears.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace anabranch::control {
namespace {

constexpr auto kLeast = std::chrono::seconds(5);  // and ten times what a look takes

}  // namespace

void Arrears::tick() {
  if (!looking_.valid()) {
    if (Clock::now() < look_at_) return;
    began_ = Clock::now();
    looking_ = std::async(std::launch::async, [this] { return books_.overdue(); });
    return;
  }
  if (looking_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  const Found found = looking_.get();
  look_at_ = Clock::now() + std::max<Clock::duration>(kLeast, 10 * (Clock::now() - began_));
  if (!found) {
    if (!std::exchange(told_, true))
      spdlog::warn("who is in arrears is not known: {}", found.error());
    return;
  }
  told_ = false;
  ByClient now;
  for (const auto& [account, standing] : *found)
    now[billing::Ledger::client_of(account)] = standing;
  if (now == known_) return;
  known_ = std::move(now);
  changed_(known_);
}

}  // namespace anabranch::control
