// SPDX-License-Identifier: BSD-3-Clause
// Decisions kept on record: written and read back, made again, explained, and what changes them.
#include "control/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "control/explain.h"
#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::StartsWith;

Decision a_decision() {
  Decision d;
  d.paths = three_links();
  d.paths[1].condition = Condition::slow;
  d.paths[1].loss_down = 0.0123456789012345;
  d.paths[0].held_up_bps = 12'345'678;
  d.paths[0].held_down_bps = 1;
  d.profile.priority = 5;
  d.profile.id = "bonded";
  d.profile.providers = {{"northfibre", Standing::prefer}, {"nobody", Standing::never}};
  d.profile.networks = {{"airmobile-5g", Standing::avoid}};
  d.profile.prefer_highest_rated = HighestRated::network;
  d.profile.pre_approved = {"northfibre", "coppertel"};
  d.profile.quality_percent = 80;
  d.profile.dispersions = {Dispersion::earliest_delivery, Dispersion::flow, Dispersion::standby};
  d.profile.treatment = {7, 90'000'000, 80'000'000, DscpSet{1} << 46, DscpSet{1} << 8};
  d.request.client = "acme";
  TrafficRule rule;
  rule.source = *parse_prefix("10.10.0.0/24");
  rule.destination = *parse_prefix("10.20.0.0/25");
  rule.protocol = 6;
  rule.destination_port_from = rule.destination_port_to = 443;
  rule.dscp = 46;
  d.request.traffic = {rule};
  d.request.rate_up_bps = 12'345'678;
  d.request.latency_ms_max = 80.1;
  d.request.price_per_gb_max = "3.00";
  d.currency = "EUR";
  d.ratings = rate(d.paths);
  d.ages_ms = {{"measurements", 240}, {"tariff acme-standard", 86'400'123}};
  d.in_force = decide(d).weighing.choice.preferred;
  return decide(std::move(d));
}

Decision any_decision(std::mt19937& random) {
  Decision d = any_inputs(random);
  d.ages_ms = {{"measurements", static_cast<int64_t>(random() % 5000)}};
  return decide(std::move(d));
}

Decision read_again(const Decision& d) {
  const auto again = decision_from_json(json::parse(to_json(d).dump()));
  EXPECT_TRUE(again) << (again ? "" : again.error());
  return again.value_or(Decision{});
}

void expect_same(const Decision& a, const Decision& b) {
  EXPECT_EQ(a.paths, b.paths);
  EXPECT_EQ(a.in_force, b.in_force);
  EXPECT_EQ(a.ratings, b.ratings);
  EXPECT_EQ(a.currency, b.currency);
  EXPECT_EQ(a.ages_ms, b.ages_ms);
  EXPECT_EQ(a.profile.id, b.profile.id);
  EXPECT_EQ(a.profile.providers, b.profile.providers);
  EXPECT_EQ(a.profile.networks, b.profile.networks);
  EXPECT_EQ(a.profile.prefer_highest_rated, b.profile.prefer_highest_rated);
  EXPECT_EQ(a.profile.pre_approved, b.profile.pre_approved);
  EXPECT_EQ(a.profile.quality_percent, b.profile.quality_percent);
  EXPECT_EQ(a.profile.dispersions, b.profile.dispersions);
  EXPECT_EQ(a.profile.treatment, b.profile.treatment);
  EXPECT_EQ(a.profile.priority, b.profile.priority);
  EXPECT_EQ(to_json(a.request), to_json(b.request));
  EXPECT_EQ(a.request.rate_up_bps, b.request.rate_up_bps);
  EXPECT_EQ(a.request.rate_down_bps, b.request.rate_down_bps);
  EXPECT_EQ(a.request.objectives, b.request.objectives);
  EXPECT_EQ(a.weighing.choice, b.weighing.choice);
  EXPECT_EQ(a.weighing.bounds, b.weighing.bounds);
  EXPECT_EQ(a.weighing.worth, b.weighing.worth);
  EXPECT_EQ(a.weighing.runners_up, b.weighing.runners_up);
  EXPECT_EQ(a.weighing.best_quality, b.weighing.best_quality);
  EXPECT_EQ(a.weighing.cheapest, b.weighing.cheapest);
  EXPECT_EQ(a.weighing.with_avoided, b.weighing.with_avoided);
}

TEST(Decision, IsReadBackAsItWasWritten) {
  const Decision d = a_decision();
  ASSERT_TRUE(d.weighing.choice.preferred) << d.weighing.choice.refusal;
  ASSERT_TRUE(d.in_force);
  ASSERT_EQ(d.weighing.runners_up.size(), kRunnersUp);
  expect_same(d, read_again(d));
  EXPECT_EQ(to_json(read_again(d)).dump(), to_json(d).dump());
}

TEST(Decision, OfAnyKindIsReadBackAsItWasWrittenAndMadeAgainTheSame) {
  std::mt19937 random(11);
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    const Decision d = any_decision(random);
    refused += d.weighing.choice.preferred ? 0 : 1;
    expect_same(d, read_again(d));
    const auto again = replay(json::parse(to_json(d).dump()));
    ASSERT_TRUE(again) << again.error();
    ASSERT_TRUE(again->same) << again->difference << "\n" << to_json(d).dump(1);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(refused, 20) << "refusals are decisions too";
  EXPECT_LT(refused, 280);
}

// What replay says of a decision altered at one place.
std::string replayed(const char* pointer, const json& value) {
  json stored = to_json(a_decision());
  const json::json_pointer at(pointer);
  EXPECT_TRUE(stored.contains(at)) << pointer;
  stored[at] = value;
  const auto again = replay(stored);
  if (!again) return again.error();
  EXPECT_EQ(again->same, again->difference.empty());
  return again->same ? "the same" : again->difference;
}

TEST(Decision, ThatWasTamperedWithIsNotTheSameWhenMadeAgain) {
  const json other = to_json(a_decision())["decided"]["runners_up"][0]["scenario"];
  EXPECT_EQ(replayed("/currency", "EUR"), "the same");
  EXPECT_EQ(replayed("/decided/preferred", other), "another combination is preferred now");
  EXPECT_EQ(replayed("/decided/preferred", nullptr), "a scenario is preferred now; it was refused");
  EXPECT_EQ(replayed("/decided/preferred/goodput_up_bps", 1e9),
            "the same is preferred, but expected or explained differently");
  EXPECT_EQ(replayed("/decided/worth/0", 0.9),
            "the same is preferred, but it is worth something else");
  EXPECT_EQ(replayed("/decided/runners_up", json::array()),
            "the same is preferred, but others were weighed beside it");
  EXPECT_EQ(replayed("/decided/best_quality", nullptr),
            "the same is preferred, but others were weighed beside it");
  EXPECT_EQ(replayed("/decided/cheapest/worth/2", 0.123),
            "the same is preferred, but others were weighed beside it");
  EXPECT_EQ(replayed("/decided/bounds/0", 1),
            "the same is preferred, but others were weighed beside it");
  EXPECT_EQ(replayed("/request/rate_up_bps", 500'000'000).rfind("it is refused now: ", 0), 0u);
  EXPECT_NE(replayed("/paths/0/alive", false), "the same");
}

// What is said of a decision that has `value` at `pointer`.
std::string misread(const char* pointer, const json& value) {
  json stored = to_json(a_decision());
  const json::json_pointer at(pointer);
  EXPECT_TRUE(stored.contains(at)) << pointer;
  stored[at] = value;
  const auto d = decision_from_json(stored);
  return d ? "understood" : d.error();
}

TEST(Decision, WithWrongNumbersIsRefusedInWords) {
  const std::string refused = "the decision is not understood: ";
  EXPECT_EQ(misread("/paths/0/condition", 6), refused + "\"condition\" is 6");
  EXPECT_EQ(misread("/paths/0/condition", -1), refused + "\"condition\" is -1");
  EXPECT_EQ(misread("/profile/prefer_highest_rated", 3), refused + "\"prefer_highest_rated\" is 3");
  EXPECT_EQ(misread("/profile/prefer_highest_rated", 258),
            refused + "\"prefer_highest_rated\" is 258");
  EXPECT_EQ(misread("/profile/providers/0/1", 4), refused + "\"standing\" is 4");
  EXPECT_EQ(misread("/profile/networks/0/1", 1.5), refused + "\"standing\" is 1.5");
  EXPECT_EQ(misread("/profile/quality_percent", 101), refused + "\"quality_percent\" is above 100");
  EXPECT_EQ(misread("/profile/dispersions/0", "sideways"), refused + "the dispersion \"sideways\"");
  EXPECT_EQ(misread("/paths/0/index", 256), refused + "\"index\" is 256");
  EXPECT_EQ(misread("/paths/0/index", -1), refused + "\"index\" is -1");
  EXPECT_EQ(misread("/paths/0/loss_up", 1.5), refused + "a loss of fibre is 1.5");
  EXPECT_EQ(misread("/paths/0/rtt_ms", -1000), refused + "a time in ms of fibre is -1000");
  EXPECT_EQ(misread("/paths/0/rtt_ms", std::numeric_limits<double>::quiet_NaN()),
            refused + "\"rtt_ms\" is null");
  EXPECT_THAT(misread("/paths/0/rate_up_bps", UINT64_MAX), StartsWith(refused + "a rate of fibre"));
  EXPECT_EQ(misread("/ratings/links/0/1", 101), refused + "fibre is rated 101");
  EXPECT_EQ(misread("/decided/preferred/shares/0/3", 65536), refused + "\"shares\" is 65536");
  EXPECT_THAT(misread("/paths/0/price_attos_per_octet", "12x"), StartsWith(refused + "the price"));
  EXPECT_THAT(misread("/paths/0/price_attos_per_octet", std::string(39, '9')),
              StartsWith(refused + "the price"));
  EXPECT_THAT(misread("/paths/0/price_attos_per_octet", ""), StartsWith(refused + "the price"));
  EXPECT_EQ(misread("/paths/0/shared_by", 0), refused + "fibre is shared by nobody");
  EXPECT_EQ(misread("/version", 1), refused + "version 1");
}

// Every place in a decision, objects and lists too.
void collect_places(const json& value, const json::json_pointer& at,
                    std::vector<json::json_pointer>& places) {
  places.push_back(at);
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) collect_places(inner, at / key, places);
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) collect_places(value[i], at / i, places);
  }
}

std::string refusal_of(const json& stored) {
  const auto d = decision_from_json(stored);
  return d ? "" : d.error();
}

TEST(Decision, WithoutAnyOfItsFieldsIsRefusedByName) {
  const json stored = to_json(a_decision());
  std::vector<json::json_pointer> places;
  collect_places(stored, json::json_pointer(), places);
  ASSERT_GT(places.size(), 200u);
  size_t taken = 0;
  for (const auto& at : places) {
    if (at.empty() || !stored[at.parent_pointer()].is_object()) continue;
    // Those are what a rule of traffic may leave out.
    if (at.parent_pointer().to_string() == "/request/traffic/0" && at.back() != "source") continue;
    json without = stored;
    without[at.parent_pointer()].erase(at.back());
    EXPECT_THAT(refusal_of(without), HasSubstr(at.back())) << at.to_string();
    ++taken;
  }
  EXPECT_GT(taken, 150u);
}

TEST(Decision, WithAFieldOfAnotherTypeIsRefused) {
  const json stored = to_json(a_decision());
  std::vector<json::json_pointer> places;
  collect_places(stored, json::json_pointer(), places);
  const std::vector<json> values{nullptr, true, "text", -1, 1e300, json::array(), json::object()};
  for (const auto& at : places) {
    for (const json& value : values) {
      const json& was = stored[at];
      const bool is_same_type =
          was.type() == value.type() || (was.is_number() && value.is_number());
      // What may be absent or null is not wrong then.
      if (is_same_type || value.is_null()) continue;
      json altered = stored;
      altered[at] = value;
      if (was.is_null() && refusal_of(altered).empty())
        EXPECT_THAT(at.to_string(), HasSubstr("_max")) << value;  // a limit that was not given
      else
        EXPECT_THAT(refusal_of(altered), StartsWith("the decision is not understood: "))
            << at.to_string() << " " << value;
    }
  }
}

TEST(Decision, AlteredInAnyWayIsRefusedOrMadeAgain) {
  std::mt19937 random(12);
  const json stored = to_json(a_decision());
  std::vector<json::json_pointer> places;
  collect_places(stored, json::json_pointer(), places);
  const std::vector<json> values{
      nullptr, true, "", "7", -1, 0, 255, 256, 1e300, UINT64_MAX, json::array(), json::object()};
  size_t made = 0;
  for (int i = 0; i < 2000; ++i) {
    json altered = stored;
    altered[places[random() % places.size()]] = values[random() % values.size()];
    const auto again = replay(altered);
    if (again)
      ++made;
    else
      ASSERT_THAT(again.error(), StartsWith("the decision is not understood: "));
  }
  EXPECT_GT(made, 50u);
}

TEST(Explanation, NamesAgesTheBestTheCheapestAndWhatLost) {
  const Decision d = a_decision();
  const Explanation e = explain(d);
  EXPECT_THAT(e.sentences, Contains("decided by measurements 0.2 s old, tariff acme-standard "
                                    "86400.1 s old"));
  EXPECT_EQ(e.json["inputs"]["measurements"]["age_ms"], 240);
  EXPECT_THAT(e.sentences, Contains(StartsWith("the best quality would be ")));
  EXPECT_THAT(e.sentences, Contains(StartsWith("the cheapest would be ")));
  ASSERT_EQ(e.json["lost"].size(), kRunnersUp);
  double before = e.json["preferred"]["worth"]["total"];
  for (const json& row : e.json["lost"]) {
    EXPECT_THAT(e.sentences, Contains(row["why"].get<std::string>()));
    if (row.contains("does_not_keep")) continue;
    EXPECT_LE(row["worth"]["total"], before + 1e-9) << "best first";
    before = row["worth"]["total"];
  }
  const auto& cheapest = e.json["cheapest"]["scenario"]["expected"]["price_per_gb"];
  EXPECT_LE(
      std::stod(cheapest.get<std::string>()),
      std::stod(e.json["preferred"]["scenario"]["expected"]["price_per_gb"].get<std::string>()));
}

TEST(Explanation, OfARefusalSaysWhatWasNotMet) {
  Decision d = a_decision();
  d.profile.treatment = {};
  d.request.rate_up_bps = 171'000'000;
  const Explanation e = explain(decide(std::move(d)));
  EXPECT_THAT(e.sentences, Contains(StartsWith("refused: no scenario keeps all")));
  EXPECT_THAT(e.json["refusal"].get<std::string>(), HasSubstr("171 Mbit/s up"));
  EXPECT_FALSE(e.json.contains("preferred"));
  EXPECT_THAT(e.sentences, Contains(StartsWith("the request can be met when ")));
}

// Fibre carries a service that needs one link; cable is as good, but for what a test changes.
Decision on_fibre_beside_cable(const ServiceRequest& request, const Profile& profile) {
  Decision d;
  d.paths = two_equal_links();
  d.profile = profile;
  d.profile.dispersions = {Dispersion::flow};
  d.request = request;
  d.request.rate_up_bps = d.request.rate_down_bps = 20'000'000;
  d.currency = "EUR";
  d.ratings = rate(d.paths);
  d.paths[1].alive = false;
  d.in_force = decide(d).weighing.choice.preferred;
  d.paths[1].alive = true;
  return d;
}

// What is said of cable alone.
json said_of_cable(const Decision& d) {
  const Explanation e = explain(d);
  for (const json& row : e.json["lost"]) {
    const json& shares = row["scenario"]["shares"];
    if (shares.size() != 1 || shares[0]["path"] != "cable") continue;
    EXPECT_THAT(e.sentences, Contains(row["why"].get<std::string>()));
    return row;
  }
  return nullptr;
}

TEST(Explanation, SaysWhatIsBetterAndDoesNotPayForAChange) {
  Decision d = on_fibre_beside_cable({}, {.id = "any"});
  d.paths[1].rtt_ms = d.paths[1].rtt_min_ms = 18;
  const json row = said_of_cable(decide(d));
  ASSERT_FALSE(row.is_null());
  EXPECT_EQ(row["held_back"], "change");
  EXPECT_THAT(row["why"].get<std::string>(),
              HasSubstr("cable flow would be worth 0.002 more, but does not pay for a change yet"));
  d.in_force.reset();
  EXPECT_EQ(names_of(*decide(d).weighing.choice.preferred), std::vector<std::string>{"cable"})
      << "it is the better one";
}

TEST(Explanation, SaysWhatIsBetterAndLacksTheMarginOfAChange) {
  ServiceRequest request;
  request.latency_ms_max = 10.5;
  Decision d = on_fibre_beside_cable(
      request, {.id = "any", .providers = {{"harbourcable", Standing::prefer}}});
  const json row = said_of_cable(decide(d));
  ASSERT_FALSE(row.is_null());
  EXPECT_EQ(row["held_back"], "margin");
  EXPECT_THAT(row["why"].get<std::string>(),
              HasSubstr("cable flow would be worth 0.250 more, but does not keep the request with "
                        "the margin that a change needs"));
  d.paths[1].rtt_ms = d.paths[1].rtt_min_ms = 18;
  EXPECT_EQ(names_of(*decide(d).weighing.choice.preferred), std::vector<std::string>{"cable"})
      << "with the margin it is changed to";
}

std::optional<Scenario> preferred_with(Decision d, const Threshold& t, double value) {
  d.paths[t.path] = with_input(d.paths[t.path], t.input, value);
  return decide(std::move(d)).weighing.choice.preferred;
}
bool are_same(const std::optional<Scenario>& a, const std::optional<Scenario>& b) {
  return a && b ? is_same_combination(*a, *b) : a.has_value() == b.has_value();
}

// Just below the old choice, just above another; and near each other.
void expect_flips(const Decision& d, const Threshold& t) {
  const auto& now = d.weighing.choice.preferred;
  EXPECT_TRUE(are_same(preferred_with(d, t, t.held), now)) << t.sentence << " held " << t.held;
  const auto then = preferred_with(d, t, t.value);
  EXPECT_FALSE(are_same(then, now)) << t.sentence << " " << t.value;
  EXPECT_TRUE(are_same(then, t.then)) << t.sentence;
  const double least = t.input == Input::loss ? 1e-6 : t.input == Input::rtt ? 1e-3 : 1;
  const double more = std::max(t.value, t.held);
  EXPECT_LE(std::abs(t.value - t.held), std::max(least, 1.001e-3 * more)) << t.sentence;
  EXPECT_THAT(t.sentence, HasSubstr(d.paths[t.path].name + "'s "));
}

TEST(Explanation, AThresholdIsWhereTheDecisionFlips) {
  Decision d = a_decision();
  d.profile.networks.clear();
  d.profile.treatment = {};
  d.request = {};
  d.in_force.reset();
  d = decide(std::move(d));
  const Thresholds found = thresholds(d);
  EXPECT_TRUE(found.complete);
  EXPECT_LE(found.tries, kTriesMax);
  ASSERT_GE(found.all.size(), 2u);
  for (const Threshold& t : found.all) expect_flips(d, t);
  const Explanation e = explain(d);
  ASSERT_EQ(e.json["changes"].size(), found.all.size());
  EXPECT_EQ(e.json["changes"][0]["sentence"], found.all[0].sentence);
  EXPECT_THAT(e.sentences, Contains(found.all[0].sentence));
}

TEST(Explanation, ThresholdsOfAnyDecisionAreWhereItFlips) {
  std::mt19937 random(13);
  size_t count = 0;
  for (int i = 0; i < 60; ++i) {
    Decision d = any_decision(random);
    d.paths.resize(std::min<size_t>(d.paths.size(), 4));
    d = decide(std::move(d));
    for (const Threshold& t : thresholds(d).all) {
      expect_flips(d, t);
      ++count;
    }
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(count, 60u);
}

}  // namespace
}  // namespace anabranch::control
