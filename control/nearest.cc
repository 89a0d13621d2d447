// SPDX-License-Identifier: BSD-3-Clause
#include "control/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "billing/exact.h"
#include "control/beside.h"

namespace anabranch::control {
namespace {

using billing::Amount;
using nlohmann::json;

constexpr uint64_t kRateStep = 1000;  // bit/s
constexpr uint64_t kOctetsInGb = 1'000'000'000;

// Whoever asks for as much as that must not be refused again by a rounding: what is given is
// rounded down, what is taken up.
std::string rate_below(double bps) {
  const auto whole = static_cast<uint64_t>(std::max(0.0, bps));
  return rate_text(whole < kRateStep ? whole : whole / kRateStep * kRateStep);
}
double rounded_up(double value, double steps) {
  return std::ceil(value * steps) / steps;
}
std::string price_above(Amount exact) {
  constexpr billing::Int128 kStep = 100'000'000'000'000;  // attos: four decimals
  return billing::to_text(Amount::from_attos((exact.attos() + kStep - 1) / kStep * kStep));
}

Amount amount_of(const std::string& text) {
  return billing::parse_amount(text).value_or(Amount());
}

class NearestFields {
 public:
  NearestFields(const ServiceRequest& request, const Most& most)
      : request_(request),
        expected_(most.scenario.expected),
        missed_(most.missed),
        price_(Amount::from_attos(static_cast<billing::Int128>(expected_.price_attos_per_gb))) {}

  json all() {
    add_rate("/rate_up", request_.rate_up_bps, expected_.goodput_up_bps);
    add_rate("/rate_down", request_.rate_down_bps, expected_.goodput_down_bps);
    add_most("/latency_ms_max", request_.latency_ms_max, expected_.latency_ms, 10);
    add_most("/loss_percent_max", request_.loss_percent_max, expected_.loss_percent, 100);
    if (request_.price_per_gb_max && amount_of(*request_.price_per_gb_max) < price_)
      add("/price_per_gb_max", *request_.price_per_gb_max, price_above(price_));
    add_budget();
    for (const Missed& missed : missed_) add_missed(missed);
    return std::move(fields_);
  }

 private:
  void add(const std::string& pointer, json asked, json possible) {
    fields_.push_back(
        {{"pointer", pointer}, {"asked", std::move(asked)}, {"possible", std::move(possible)}});
  }
  void add_rate(const char* pointer, const std::optional<uint64_t>& asked, double expected) {
    if (asked && expected < static_cast<double>(*asked))
      add(pointer, rate_text(*asked), rate_below(expected));
  }
  void add_most(const char* pointer, const std::optional<double>& asked, double expected,
                double steps) {
    if (asked && expected > *asked) add(pointer, *asked, rounded_up(expected, steps));
  }
  void add_missed(const Missed& missed) {
    add("/agreement/objectives/" + std::to_string(missed.which),
        as_written(missed.objective, missed.objective.limit),
        as_written(missed.objective, possible_of(missed)));
  }
  static double possible_of(const Missed& missed) {
    using Of = Objective::Of;
    switch (missed.objective.of) {
      case Of::rate_up:
      case Of::rate_down:
        return missed.expected;
      case Of::availability:
        return std::floor(missed.expected * 1e4) / 1e4;
      case Of::latency:
      case Of::jitter:
        return rounded_up(missed.expected, 10);
      case Of::loss:
        return rounded_up(missed.expected, 100);
    }
    return 0;
  }
  // As in the agreement.
  static std::string as_written(const Objective& objective, double value) {
    const bool is_rate =
        objective.of == Objective::Of::rate_up || objective.of == Objective::Of::rate_down;
    return is_rate ? rate_below(value) : fmt::format("{}", value);
  }
  // Of a budget for a volume, which limits the price.
  void add_budget() {
    if (!request_.budget || !request_.volume_octets) return;
    const auto whole = billing::Exact(price_).times(*request_.volume_octets, kOctetsInGb).cut_off();
    if (!whole) return;
    const Amount above = *whole + Amount::from_attos(1);  // what was cut off
    if (amount_of(*request_.budget) < above) add("/budget", *request_.budget, price_above(above));
  }

  const ServiceRequest& request_;
  const Prediction& expected_;
  const std::vector<Missed>& missed_;
  const Amount price_;
  json fields_ = json::array();
};

}  // namespace

json nearest_json(const ServiceRequest& request, const Decision& refused) {
  const auto most = most_of(refused);
  if (!most) return nullptr;
  return {{"fields", NearestFields(request, *most).all()},
          {"scenario", to_json(most->scenario, refused.currency)}};
}

}  // namespace anabranch::control
