// SPDX-License-Identifier: BSD-3-Clause
#include "control/tariff_uses.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace anabranch::control {

void TariffUses::tick(const std::function<Clients()>& wanted, Clock::time_point now) {
  if (looking_.valid()) {
    if (looking_.wait_for(std::chrono::seconds(0)) == std::future_status::timeout) return;
    auto found = looking_.get();
    look_at_ = now + std::max<Clock::duration>(kLookEvery, 10 * (now - began_));
    const std::string problem = found ? "" : found.error();
    if (!problem.empty() && problem != told_)
      spdlog::warn("how far clients are into their tariffs is not known: {}", problem);
    told_ = problem;
    if (found) changed_(std::move(*found));
    return;
  }
  if (now < look_at_) return;
  look_at_ = now + kLookEvery;
  began_ = now;
  if (Clients clients = wanted(); !clients.empty())
    looking_ =
        std::async(how_, [look = look_, clients = std::move(clients)] { return look(clients); });
}

}  // namespace anabranch::control
