// SPDX-License-Identifier: BSD-3-Clause
// Which clients are in arrears, as the ledger says, looked at every few seconds aside. Control
// thread.
#pragma once

#include <chrono>
#include <functional>
#include <future>

#include "control/books.h"

namespace anabranch::control {

class Arrears {
 public:
  // `changed`: by client, whenever they are others than before; at first they are none.
  using ByClient = std::map<std::string, billing::Standing>;
  Arrears(const Books& books, std::function<void(const ByClient&)> changed)
      : books_(books), changed_(std::move(changed)) {}

  // Every second.
  void tick();

 private:
  using Clock = std::chrono::steady_clock;
  using Found = tl::expected<Books::Overdue, std::string>;

  const Books& books_;
  const std::function<void(const ByClient&)> changed_;
  std::future<Found> looking_;
  Clock::time_point look_at_{}, began_{};
  ByClient known_;
  bool told_ = false;  // that it cannot be looked at
};

}  // namespace anabranch::control
