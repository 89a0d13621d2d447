// SPDX-License-Identifier: BSD-3-Clause
// What could be met of a request that is refused: with it in place, the request is kept.
#include "control/nearest.h"

#include <gtest/gtest.h>

#include "control/admission.h"
#include "control/octets.h"
#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

Decision refused_of(const ServiceRequest& request) {
  Decision d;
  d.paths = three_links();
  d.profile.id = "any";
  d.request = with_budget(request);
  d.currency = "EUR";
  d.ratings = rate(d.paths);
  return d;
}

json field_of(const json& nearest, const std::string& pointer) {
  for (const json& field : nearest["fields"]) {
    if (field["pointer"] == pointer) return field;
  }
  return nullptr;
}

void put(ServiceRequest& request, const json& field) {
  const std::string pointer = field["pointer"];
  const json& possible = field["possible"];
  if (pointer == "/rate_up") request.rate_up_bps = parse_rate(possible.get<std::string>());
  if (pointer == "/rate_down") request.rate_down_bps = parse_rate(possible.get<std::string>());
  if (pointer == "/latency_ms_max") request.latency_ms_max = possible.get<double>();
  if (pointer == "/loss_percent_max") request.loss_percent_max = possible.get<double>();
  if (pointer == "/price_per_gb_max") request.price_per_gb_max = possible.get<std::string>();
  if (pointer == "/budget") request.budget = possible.get<std::string>();
  const std::string in_agreement = "/agreement/objectives/";
  if (!pointer.starts_with(in_agreement)) return;
  Objective& o = request.objectives.at(std::stoul(pointer.substr(in_agreement.size())));
  const bool is_rate = o.of == Objective::Of::rate_up || o.of == Objective::Of::rate_down;
  o.limit = is_rate ? static_cast<double>(parse_rate(possible.get<std::string>()).value_or(0))
                    : std::stod(possible.get<std::string>());
}

bool is_kept(const Decision& d, const ServiceRequest& request) {
  return prefer(d.paths, d.profile, with_budget(request), d.currency,
                d.in_force ? &*d.in_force : nullptr, &d.ratings)
      .preferred.has_value();
}

TEST(Nearest, NamesEachFieldThatIsNotKeptAndNoOther) {
  ServiceRequest request;
  request.rate_up_bps = 900'000'000;
  request.rate_down_bps = 1'000'000;
  request.latency_ms_max = 5;
  request.loss_percent_max = 50;
  const json nearest = nearest_json(request, refused_of(request));
  ASSERT_EQ(nearest["fields"].size(), 2u) << nearest;
  EXPECT_EQ(field_of(nearest, "/rate_up")["asked"], "900 Mbit/s");
  EXPECT_EQ(field_of(nearest, "/latency_ms_max")["asked"], 5);
  EXPECT_EQ(field_of(nearest, "/latency_ms_max")["possible"], 30);
  EXPECT_EQ(nearest["scenario"]["shares"].size(), 3u) << "by what gives the most";
}

TEST(Nearest, ABudgetForAVolumeIsNamedAsWhatWouldPayForIt) {
  ServiceRequest request;
  request.budget = "1";
  request.volume_octets = 500'000'000'000;
  const Decision refused = refused_of(request);
  ASSERT_FALSE(is_kept(refused, request));
  const json nearest = nearest_json(request, refused);
  ASSERT_EQ(nearest["fields"].size(), 1u) << nearest;
  EXPECT_EQ(nearest["fields"][0]["pointer"], "/budget");
  put(request, nearest["fields"][0]);
  EXPECT_GT(std::stod(*request.budget), 500 * 0.35) << "dearer than the cheapest";
  EXPECT_TRUE(is_kept(refused, request));
}

TEST(Nearest, WhereNoPathMayBeUsedThereIsNone) {
  Decision refused = refused_of({});
  for (PathState& path : refused.paths) path.alive = false;
  EXPECT_TRUE(nearest_json({}, refused).is_null());
}

TEST(Nearest, NamesWhatOfTheAgreementIsNotKept) {
  ServiceRequest request;
  request.objectives = {{Objective::Of::rate_up, Window::second, 1e6},
                        {Objective::Of::latency, Window::second, 5},
                        {Objective::Of::availability, Window::month, 99.99}};
  Decision refused = refused_of(request);
  for (PathState& path : refused.paths) path.availability = 0.9;
  const json nearest = nearest_json(request, refused);
  ASSERT_EQ(nearest["fields"].size(), 2u) << nearest;
  EXPECT_EQ(field_of(nearest, "/agreement/objectives/1"),
            (json{{"pointer", "/agreement/objectives/1"}, {"asked", "5"}, {"possible", "30"}}));
  EXPECT_EQ(field_of(nearest, "/agreement/objectives/2")["possible"], "99.9");
  for (const json& field : nearest["fields"]) put(request, field);
  EXPECT_TRUE(is_kept(refused, request));
}

TEST(Nearest, WhatCouldBeMetIsMet) {
  std::mt19937 random(7);
  size_t tried = 0;
  for (int i = 0; i < 20'000; ++i) {
    Decision d = any_inputs(random);
    ServiceRequest request = d.request;
    if (random() % 4 == 0) {
      request.budget = std::to_string(1 + random() % 100);
      request.volume_octets = 1'000'000'000 + random() % 1'000'000'000'000;
      d.request = with_budget(request);
    }
    if (is_kept(d, request)) continue;
    const json nearest = nearest_json(request, d);
    if (nearest.is_null()) continue;
    ASSERT_FALSE(nearest["fields"].empty()) << i << to_json(d);
    for (const json& field : nearest["fields"]) put(request, field);
    EXPECT_TRUE(is_kept(d, request)) << i << nearest << to_json(d);
    ++tried;
  }
  EXPECT_GT(tried, 2000u);
}

}  // namespace
}  // namespace anabranch::control
