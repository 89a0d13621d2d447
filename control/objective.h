// SPDX-License-Identifier: BSD-3-Clause
// What an agreement says a service is to be like: control's half of the document of which billing
// has the other (billing/agreement.h). A scenario keeps an objective when what its paths were over
// the objective's window lets that be expected; one that does not is not chosen.
//
//   {"id": "gold", "objectives": [
//     {"of": "latency", "ms": "60", "window": "1min"},
//     {"of": "jitter", "ms": "15", "window": "1min"},
//     {"of": "loss", "percent": "0.1", "window": "1h"},
//     {"of": "availability", "percent": "99.95", "window": "30d"},
//     {"of": "rate-down", "rate": "20 Mbit/s", "window": "1h"}]}
//
// Latency is one way; jitter the mean deviation of the round trip; loss what repair leaves of it.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace anabranch::control {

// What is measured is kept over these: a second is now.
enum class Window : uint8_t { second, minute, hour, month };
inline constexpr std::array<std::string_view, 4> kWindowNames{"1s", "1min", "1h", "30d"};

struct Objective {
  static constexpr size_t kMax = 16;  // of an agreement
  enum class Of : uint8_t { rate_up, rate_down, latency, jitter, loss, availability };
  Of of = Of::latency;
  Window window = Window::minute;
  double limit = 0;  // bits a second, ms, or percent
  auto operator<=>(const Objective&) const = default;
};
inline constexpr std::array<std::string_view, 6> kObjectiveNames{
    "rate-up", "rate-down", "latency", "jitter", "loss", "availability"};

// "60 ms one way over 1min", with another value in the limit's place: "72 ms one way over 1min".
std::string to_text(const Objective& objective, double value);

}  // namespace anabranch::control
