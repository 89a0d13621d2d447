// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "control/candidates.h"
#include "control/explain.h"

namespace anabranch::control {
namespace {

constexpr std::array kInputs{Input::loss, Input::rtt, Input::rate, Input::price};

const char* name_of(Input input) {
  constexpr std::array kNames{"loss", "round trip", "rate", "price"};
  return kNames[static_cast<size_t>(input)];
}

std::string shown(Input input, double value, const std::string& currency) {
  switch (input) {
    case Input::loss:
      return fmt::format("{:.3g} %", 100 * value);
    case Input::rtt:
      return fmt::format("{:.4g} ms", value);
    case Input::rate:
      return fmt::format("{:.4g} Mbit/s", value / 1e6);
    case Input::price:
      return fmt::format("{:.4g} {}/GB", value / 1e9, currency);
  }
  return {};
}

// What is less is as good as nothing: 0.0001 % of loss, a microsecond, a bit a second.
double least_shown(Input input) {
  switch (input) {
    case Input::loss:
      return 1e-6;
    case Input::rtt:
      return 1e-3;
    case Input::rate:
    case Input::price:
      return 1;
  }
  return 0;
}

// Where to look, away from the value that is: worse and better, each nearest first.
std::vector<std::vector<double>> ways(Input input, double now) {
  if (input == Input::loss) {
    std::vector<double> up;
    for (const double loss : {0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64}) {
      if (loss > now) up.push_back(loss);
    }
    return {up, now > 0 ? std::vector<double>{now / 4, 0} : std::vector<double>{}};
  }
  const double least = input == Input::price ? 1e7 : 1;  // a cent a gigabyte; a millisecond
  const double from = std::max(now, least);
  std::vector<double> up, down;
  for (const double times : {1.25, 1.6, 2.0, 3.0, 4.0, 8.0, 16.0, 32.0}) {
    up.push_back(from * times);
    if (now > 0) down.push_back(now / times);
  }
  return {up, down};
}

std::set<std::string> names_in(const std::optional<Scenario>& s) {
  std::set<std::string> names;
  if (s) {
    for (const auto& share : s->shares) names.insert(share.name);
  }
  return names;
}

std::string listed(const std::set<std::string>& names, const std::set<std::string>& without,
                   const char* one, const char* several) {
  std::string text;
  size_t count = 0;
  for (const std::string& name : names) {
    if (without.contains(name)) continue;
    text += (count++ == 0 ? "" : " and ") + name;
  }
  return count == 0 ? text : text + (count == 1 ? one : several);
}

// "lte joins and dsl leaves"
std::string change(const std::optional<Scenario>& from, const std::optional<Scenario>& to) {
  if (!to) return "the request cannot be met any more";
  if (!from) return "the request can be met";
  const auto before = names_in(from), after = names_in(to);
  const std::string joins = listed(after, before, " joins", " join"),
                    leaves = listed(before, after, " leaves", " leave");
  std::string text = joins + (joins.empty() || leaves.empty() ? "" : " and ") + leaves;
  if (!text.empty()) return text;
  return from->dispersion == to->dispersion
             ? "the order of paths changes"
             : std::string("dispersion becomes ") + to_string(to->dispersion);
}

class Search {
 public:
  explicit Search(const Decision& decision) : decision_(decision), before_(choice(decision.paths)) {
    // A decision over sixteen paths takes ten times as long as one over eight.
    const size_t usable = usable_paths(decision.paths, decision.profile).size();
    if (usable > 8) tries_max_ = kTriesMax / 4;
  }

  Thresholds run() {
    for (size_t path = 0; path < decision_.paths.size(); ++path) {
      if (!decision_.paths[path].alive) continue;
      for (const Input input : kInputs) {
        for (const auto& way : ways(input, value_of(decision_.paths[path], input)))
          walk(path, input, way);
      }
    }
    return std::move(found_);
  }

 private:
  using Preferred = std::optional<Scenario>;

  Preferred choice(const std::vector<PathState>& paths) const {
    return prefer(paths, decision_.profile, decision_.request, decision_.currency,
                  decision_.in_force ? &*decision_.in_force : nullptr, &decision_.ratings)
        .preferred;
  }
  Preferred with(size_t path, Input input, double value) {
    ++found_.tries;
    std::vector<PathState> paths = decision_.paths;
    paths[path] = with_input(paths[path], input, value);
    return choice(paths);
  }
  bool is_as_before(const Preferred& now) const {
    if (!now || !before_) return now.has_value() == before_.has_value();
    return is_same_combination(*now, *before_);
  }

  void walk(size_t path, Input input, const std::vector<double>& way) {
    double held = value_of(decision_.paths[path], input);
    for (const double value : way) {
      if (found_.tries + kHalvings + 1 > tries_max_) {
        found_.complete = false;
        return;
      }
      Preferred then = with(path, input, value);
      if (is_as_before(then)) {
        held = value;
        continue;
      }
      halve(path, input, held, value, std::move(then));
      return;
    }
  }

  // Between the two, nearer the lesser one where they are far apart, as near 0.
  static double between(double a, double b) {
    const double less = std::min(a, b), more = std::max(a, b);
    if (less <= 0) return more / 32;
    return more > 2 * less ? std::sqrt(less * more) : (less + more) / 2;
  }

  void halve(size_t path, Input input, double held, double value, Preferred then) {
    const auto is_near = [&] {
      const double more = std::max(held, value);
      return std::abs(value - held) <= 1e-3 * more || more <= least_shown(input);
    };
    for (int i = 0; i < kHalvings && !is_near(); ++i) {
      const double middle = between(held, value);
      Preferred there = with(path, input, middle);
      if (is_as_before(there)) {
        held = middle;
      } else {
        value = middle;
        then = std::move(there);
      }
    }
    const std::string sentence = fmt::format(
        "{} when {}'s {} {} {}", change(before_, then), decision_.paths[path].name, name_of(input),
        value > held ? "passes" : "falls below", shown(input, value, decision_.currency));
    found_.all.push_back({path, input, held, value, std::move(then), sentence});
  }

  // From the widest step down to least_shown(), and to a thousandth of that.
  static constexpr int kHalvings = 32;
  const Decision& decision_;
  Preferred before_;
  size_t tries_max_ = kTriesMax;
  Thresholds found_;
};

}  // namespace

double value_of(const PathState& p, Input input) {
  switch (input) {
    case Input::loss:
      return std::max(p.loss_up, p.loss_down);
    case Input::rtt:
      return p.rtt_ms;
    case Input::rate:
      return static_cast<double>(p.rate_up_bps);
    case Input::price:
      return static_cast<double>(p.price_attos_per_octet);
  }
  return 0;
}

PathState with_input(PathState p, Input input, double value) {
  const double was = value_of(p, input);
  const double times = was > 0 ? value / was : 1;
  switch (input) {
    case Input::loss:
      p.loss_up = std::clamp(p.loss_up + value - was, 0.0, 1.0);
      p.loss_down = std::clamp(p.loss_down + value - was, 0.0, 1.0);
      break;
    case Input::rtt:
      p.rtt_min_ms = was > 0 ? p.rtt_min_ms * times : value;
      p.rtt_ms = value;
      break;
    case Input::rate:
      p.rate_up_bps = static_cast<uint64_t>(std::llround(value));
      p.rate_down_bps =
          static_cast<uint64_t>(std::llround(static_cast<double>(p.rate_down_bps) * times));
      break;
    case Input::price:
      p.price_attos_per_octet = static_cast<Uint128>(value);
      break;
  }
  return p;
}

Thresholds thresholds(const Decision& decision) {
  return Search(decision).run();
}

}  // namespace anabranch::control
