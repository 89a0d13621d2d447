// SPDX-License-Identifier: BSD-3-Clause
#include "control/admission.h"

#include <gtest/gtest.h>

#include "tests/control/example.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

constexpr int64_t kAskedS = 1'800'000'000;

ServiceRequest limited(const char* budget, uint64_t volume_octets) {
  ServiceRequest request;
  request.budget = budget;
  request.volume_octets = volume_octets;
  return request;
}

TEST(Admission, AServiceEndsAfterItsDurationFromWhenItBegins) {
  ServiceRequest request;
  EXPECT_EQ(end_of(request, kAskedS), std::nullopt);
  request.duration_s = 3600;
  EXPECT_EQ(end_of(request, kAskedS), kAskedS + 3600);
  request.start_s = kAskedS + 100;
  EXPECT_EQ(end_of(request, kAskedS), kAskedS + 3700);
  request.start_s = kAskedS - 100;  // past already: it begins at once
  EXPECT_EQ(end_of(request, kAskedS), kAskedS + 3600);
  request.duration_s.reset();
  request.until_s = kAskedS + 5;
  EXPECT_EQ(end_of(request, kAskedS), kAskedS + 5);
}

TEST(Admission, ABudgetForAVolumeIsAPriceThatMustNotBePassed) {
  EXPECT_EQ(with_budget(limited("50", 500'000'000'000)).price_per_gb_max, "0.10");
  // Rounded down: 3 GB at this price cost no more than 1.
  EXPECT_EQ(with_budget(limited("1", 3'000'000'000)).price_per_gb_max, "0.333333333333333333");
  ServiceRequest without_volume;
  without_volume.budget = "50";
  EXPECT_EQ(with_budget(without_volume).price_per_gb_max, std::nullopt);
}

TEST(Preferences, AWishIsWithinWhatIsSaid) {
  using billing::Preferences;
  const auto of = [](const json& document) {
    billing::DocumentErrors errors;
    const auto read = billing::read_wish(document, "", errors);
    EXPECT_TRUE(errors.empty());
    EXPECT_EQ(billing::to_json(read), document);
    return read;
  };
  const Preferences said = of({{"statements", "by-provider"}, {"delivery", {"html"}}});
  EXPECT_EQ(said.against({}), "");
  EXPECT_EQ(said.against(of({{"currency", "USD"}, {"provider_charges", "separate"}})), "");
  EXPECT_EQ(said.against(of({{"statements", "by-provider"}})), "");
  EXPECT_EQ(said.against(of({{"statements", "aggregated"}})), "statements");
  EXPECT_EQ(said.against(of({{"delivery", {"csv"}}})), "delivery");
  const json ahead{{"by", "card"}, {"charge", "ahead"}, {"top_up", "20.00"}, {"used_up", "stop"}};
  EXPECT_EQ(said.against(of({{"payment", ahead}})), "");
  const Preferences paid = of({{"payment", {{"by", "invoice"}}}});
  EXPECT_EQ(paid.against(of({{"payment", {{"by", "invoice"}}}})), "");
  EXPECT_EQ(paid.against(of({{"payment", ahead}})), "payment");
  billing::DocumentErrors errors;
  billing::read_wish({{"payment", {{"by", "invoice"}, {"due_days", 90}}}}, "/billing", errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].pointer, "/billing/payment/due_days");
  errors.clear();
  billing::read_wish({{"cycle_day", 3}}, "/billing", errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].pointer, "/billing/cycle_day");
}

TEST(Admission, TheLowerOfPriceAndBudgetHolds) {
  ServiceRequest request = limited("50", 500'000'000'000);
  request.price_per_gb_max = "0.05";
  EXPECT_EQ(with_budget(request).price_per_gb_max, "0.05");
  EXPECT_EQ(budget_text(request, "EUR"), "");
  request.price_per_gb_max = "0.80";
  EXPECT_EQ(with_budget(request).price_per_gb_max, "0.10");
  EXPECT_EQ(budget_text(request, "EUR"), ", for the budget of 50 EUR is for 500 GB");
}

TEST(Admission, TheVolumeIsExpectedToCostWhatItsOctetsCost) {
  Scenario scenario;
  scenario.expected.price_attos_per_gb = Uint128{400'000'000} * 1'000'000'000;  // 0.40
  EXPECT_EQ(expected_price({}, scenario), std::nullopt);
  EXPECT_EQ(billing::to_text(*expected_price(limited("1", 2'500'000'000), scenario)), "1.00");
}

class AdmissionHere : public testing::Test {
 protected:
  // Of the answer when `document` is refused: status and first field; or "admitted".
  std::string asked(json document) const {
    const auto request = admit(document, config_, documents_, kAskedS);
    if (request) return "admitted";
    const json& body = request.error().body;
    const std::string field = body.contains("errors") ? body["errors"][0].value("pointer", "") : "";
    return std::to_string(request.error().status) + " " + field;
  }
  static json acme(json more = json::object()) {
    json document{{"client", "acme"}, {"traffic", {{{"source", "10.10.0.0/25"}}}}};
    document.update(more);
    return document;
  }
  Config config_ = *read_config(example("site-a.toml"));
  DocumentStore documents_ = *DocumentStore::read(example("site-a"));
};

TEST_F(AdmissionHere, WhatIsTheClientsAndLeadsAcrossIsAdmitted) {
  EXPECT_EQ(asked(acme()), "admitted");
  EXPECT_EQ(asked(acme({{"client", "nobody"}})), "404 ");
  EXPECT_EQ(asked(acme({{"traffic", {{{"source", "10.11.0.0/25"}}}}})), "422 /traffic/0/source");
  EXPECT_EQ(
      asked(acme({{"traffic", {{{"source", "10.10.0.0/25"}, {"destination", "8.8.8.8/32"}}}}})),
      "422 /traffic/0/destination");
  EXPECT_EQ(asked(acme({{"until", "2020-01-01T00:00:00Z"}})), "422 /until");
  EXPECT_EQ(asked(acme({{"until", "2030-01-01T00:00:00Z"}, {"start", "2031-01-01T00:00:00Z"}})),
            "400 /until");
  EXPECT_EQ(asked(acme({{"until", "2030-01-01T00:00:00Z"}, {"duration", "2 d"}})), "400 /duration");
}

TEST_F(AdmissionHere, RulesWithoutADestinationGetAllBehindThePeer) {
  const auto request = admit(acme(), config_, documents_, kAskedS);
  ASSERT_TRUE(request);
  for (const TrafficRule& rule : request->traffic) EXPECT_NE(rule.destination.length, 0);
}

TEST(Admission, WhatAProfileAsksForAClassHoldsBesideTheRequest) {
  Profile profile;
  profile.latency_ms_max = 80;
  ServiceRequest request;
  EXPECT_EQ(for_choice(request, profile, {}).latency_ms_max, 80);
  EXPECT_EQ(for_choice(request, profile, {}).loss_percent_max, std::nullopt);
  request.latency_ms_max = 50;
  request.loss_percent_max = 1;
  EXPECT_EQ(for_choice(request, profile, {}).latency_ms_max, 50);
  EXPECT_EQ(for_choice(request, profile, {}).loss_percent_max, 1);
  request.latency_ms_max = 100;
  EXPECT_EQ(for_choice(request, profile, {}).latency_ms_max, 80);
}

TEST(Admission, WhatTheAgreementSaysIsPartOfTheRequest) {
  const std::vector<Objective> agreed{{Objective::Of::jitter, Window::hour, 12}};
  EXPECT_EQ(for_choice({}, {}, agreed).objectives, agreed);
}

}  // namespace
}  // namespace anabranch::control
