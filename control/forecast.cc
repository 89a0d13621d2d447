// SPDX-License-Identifier: BSD-3-Clause
#include "control/forecast.h"

#include <algorithm>
#include <cmath>

#include "control/json_reader.h"
#include "control/worth.h"

namespace anabranch::control {
namespace {

constexpr float kNoError = -1;

float relative_error(double expected, double measured, double least) {
  return static_cast<float>(std::abs(expected - measured) / std::max(measured, least));
}

// What tells combinations apart, and no words.
Scenario bare(const Scenario& s) {
  Scenario result;
  result.dispersion = s.dispersion;
  result.order = s.order;
  for (const auto& share : s.shares) result.shares.push_back({.path_index = share.path_index});
  return result;
}

}  // namespace

nlohmann::json to_json(const ForecastError& e) {
  return {
      {"goodput", or_null(e.goodput)}, {"latency", or_null(e.latency)}, {"loss", or_null(e.loss)}};
}

Forecasts::Errors::Errors() {
  for (auto& of_quantity : errors) of_quantity.fill(kNoError);
}

void Forecasts::add(uint64_t service, int64_t second, const Scenario& in_force,
                    std::optional<double> delivered_up_bps) {
  Errors& e = services_[service];
  const auto at = static_cast<size_t>(second);
  if (!is_same_combination(e.combination, in_force)) {
    e.combination = bare(in_force);
    e.expected = {};
  }
  // Seconds that were left out have no errors.
  const int64_t from = std::max(e.seen + 1, second - static_cast<int64_t>(kWindow) + 1);
  for (int64_t s = std::min(from, second); s <= second; ++s) {
    for (auto& of_quantity : e.errors) of_quantity[static_cast<size_t>(s) % kWindow] = kNoError;
  }
  e.seen = second;
  const Prediction& now = in_force.expected;
  Expectation& then = e.expected[at % kHorizonS];
  if (then.second == second - kHorizonS) {
    const size_t slot = at % kWindow;
    if (delivered_up_bps)
      e.errors[goodput][slot] = relative_error(then.values[goodput], *delivered_up_bps, 64e3);
    e.errors[latency][slot] = relative_error(then.values[latency], now.latency_ms, 1);
    e.errors[loss][slot] = relative_error(then.values[loss], now.loss_percent, 0.1);
  }
  then = {second,
          {static_cast<float>(now.goodput_up_bps), static_cast<float>(now.latency_ms),
           static_cast<float>(now.loss_percent)}};
}

void Forecasts::forget_others(int64_t second) {
  std::erase_if(services_, [&](const auto& entry) { return entry.second.seen != second; });
}

void Forecasts::collect(const Errors& of, size_t quantity, std::vector<float>& values) {
  for (const float error : of.errors[quantity]) {
    if (error >= 0) values.push_back(error);
  }
}

std::optional<double> Forecasts::median_of(std::vector<float>& values) {
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

ForecastError Forecasts::of(uint64_t service) const {
  const auto found = services_.find(service);
  if (found == services_.end()) return {};
  const auto median = [&](size_t quantity) {
    std::vector<float> values;
    collect(found->second, quantity, values);
    return median_of(values);
  };
  return {median(goodput), median(latency), median(loss)};
}

ForecastError Forecasts::all() const {
  const auto median = [&](size_t quantity) {
    std::vector<float> values;
    for (const auto& [id, errors] : services_) collect(errors, quantity, values);
    return median_of(values);
  };
  return {median(goodput), median(latency), median(loss)};
}

}  // namespace anabranch::control
