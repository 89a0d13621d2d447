// SPDX-License-Identifier: BSD-3-Clause
// What an agreement says a service is to be like decides which scenarios are possible.
#include "control/objective.h"

#include <gtest/gtest.h>

#include "control/document_store.h"
#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

using nlohmann::json;
using Of = Objective::Of;

std::string mistakes_of(const json& objective) {
  const auto parsed = parse_objectives({{"id", "gold"}, {"objectives", json::array({objective})}});
  std::string text;
  for (const FieldError& e : parsed ? FieldErrors() : parsed.error())
    text += (text.empty() ? "" : "; ") + e.pointer + ": " + e.detail;
  return text;
}

TEST(Objectives, AreReadWithTheirUnits) {
  const json agreement = json::parse(R"({"id": "gold", "objectives": [
    {"of": "latency", "ms": "60", "window": "1min"},
    {"of": "jitter", "ms": "12.5", "window": "1s"},
    {"of": "loss", "percent": "0.1", "window": "1h"},
    {"of": "availability", "percent": "99.95", "window": "30d"},
    {"of": "rate-down", "rate": "20 Mbit/s", "window": "1h"}]})");
  const std::vector<Objective> expected{{Of::latency, Window::minute, 60},
                                        {Of::jitter, Window::second, 12.5},
                                        {Of::loss, Window::hour, 0.1},
                                        {Of::availability, Window::month, 99.95},
                                        {Of::rate_down, Window::hour, 20e6}};
  EXPECT_EQ(parse_objectives(agreement).value_or(std::vector<Objective>()), expected);
  EXPECT_TRUE(parse_objectives({{"id", "gold"}}).value().empty());
  EXPECT_EQ(DocumentStore::mistakes("slas", agreement).size(), 0u) << "billing's half agrees";
}

TEST(Objectives, MistakesAreNamedWithWhatIsExpected) {
  EXPECT_EQ(mistakes_of({{"of", "latency"}, {"window", "1min"}}),
            "/objectives/0/ms: is missing; expected milliseconds up to 60000, such as \"60\"");
  EXPECT_EQ(mistakes_of({{"of", "latency"}, {"ms", "60001"}, {"window", "1min"}}),
            "/objectives/0/ms: \"60001\"; expected milliseconds up to 60000, such as \"60\"");
  EXPECT_EQ(mistakes_of({{"of", "loss"}, {"percent", "0.1"}, {"window", "2min"}}),
            "/objectives/0/window: \"2min\"; expected \"1s\", \"1min\", \"1h\" or \"30d\"");
  EXPECT_EQ(mistakes_of({{"of", "speed"}, {"window", "1h"}}),
            "/objectives/0/of: \"speed\"; expected \"rate-up\", \"rate-down\", \"latency\", "
            "\"jitter\", \"loss\" or \"availability\"");
  EXPECT_NE(mistakes_of({{"of", "jitter"}, {"ms", "5"}, {"percent", "5"}, {"window", "1h"}})
                .find("/objectives/0/percent"),
            std::string::npos)
      << "another's unit";
}

class AnAgreement : public testing::Test {
 protected:
  Choice choose() const { return prefer(paths_, profile_, request_, "EUR"); }
  std::vector<std::string> used() const {
    const Choice choice = choose();
    return choice.preferred ? names_of(*choice.preferred) : std::vector<std::string>();
  }
  PathRecord& record(size_t path, Window window) {
    return paths_[path].records[static_cast<size_t>(window) - 1];
  }
  void say(Of of, Window window, double limit) { request_.objectives = {{of, window, limit}}; }

  std::vector<PathState> paths_ = three_links();  // fibre, mobile, dsl
  Profile profile_{.id = "any"};
  ServiceRequest request_;
};

TEST_F(AnAgreement, LeavesOutAPathThatWasTooLateOverItsWindow) {
  ASSERT_EQ(used(), (std::vector<std::string>{"fibre", "mobile", "dsl"}));
  say(Of::latency, Window::minute, 25);
  EXPECT_EQ(used(), (std::vector<std::string>{"fibre", "dsl"})) << "30 ms now";
  record(1, Window::minute) = {.samples = 60, .latency_ms = 24, .availability = 1};
  EXPECT_EQ(used(), (std::vector<std::string>{"fibre", "mobile", "dsl"}))
      << "what it was over the minute counts";
  record(1, Window::minute) = {.samples = 60};
  EXPECT_EQ(used(), (std::vector<std::string>{"fibre", "dsl"}))
      << "never there: it is as it is now";
  record(1, Window::minute) = {.samples = 60, .latency_ms = 24, .availability = 1};
  record(0, Window::hour) = {.samples = 3600, .latency_ms = 80, .availability = 1};
  EXPECT_EQ(used().size(), 3u) << "another window is not asked of";
}

TEST_F(AnAgreement, CountsProvidersThatFailEachByItself) {
  for (size_t i = 0; i < 3; ++i)
    record(i, Window::month) = {.samples = 3600, .availability = 0.99, .rate_kept = 1};
  profile_.dispersions = {Dispersion::standby};
  say(Of::availability, Window::month, 99.9);
  const Choice of_several = choose();
  ASSERT_TRUE(of_several.preferred) << of_several.refusal;
  EXPECT_NEAR(of_several.preferred->expected.availability_percent, 99.9999, 1e-9);
  for (PathState& path : paths_) path.provider = "northfibre";
  const Choice of_one = choose();
  ASSERT_FALSE(of_one.preferred) << "what fails together is no help";
  EXPECT_NE(of_one.refusal.find("the agreement's 99.9 % availability over 30d (99 % availability "
                                "over 30d)"),
            std::string::npos)
      << of_one.refusal;
}

TEST_F(AnAgreement, OfLossIsJudgedBehindRepair) {
  for (PathState& path : paths_) path.loss_up = path.loss_down = 0.02;
  say(Of::loss, Window::second, 0.05);
  profile_.dispersions = {Dispersion::flow};
  EXPECT_TRUE(used().empty()) << "whole flows are not repaired";
  profile_.dispersions = {Dispersion::earliest_delivery};
  EXPECT_EQ(used().size(), 3u) << "0.04 % is lost with its repair";
}

TEST_F(AnAgreement, StaysInForceAtItsLimitAndIsChangedToWithAMargin) {
  say(Of::jitter, Window::second, 10);
  paths_[1].rtt_variation_ms = 9.5;
  const Scenario all = *choose().preferred;
  EXPECT_EQ(all.shares.size(), 3u);
  const Choice stays = prefer(paths_, profile_, request_, "EUR", &all);
  EXPECT_EQ(names_of(*stays.preferred).size(), 3u);
  paths_[1].rtt_variation_ms = 10.5;
  const Scenario less = *prefer(paths_, profile_, request_, "EUR", &all).preferred;
  EXPECT_EQ(names_of(less), (std::vector<std::string>{"fibre", "dsl"}));
  paths_[1].rtt_variation_ms = 9.5;
  EXPECT_EQ(names_of(*prefer(paths_, profile_, request_, "EUR", &less).preferred), names_of(less));
  paths_[1].rtt_variation_ms = 8.5;
  EXPECT_EQ(prefer(paths_, profile_, request_, "EUR", &less).preferred->shares.size(), 3u);
}

TEST_F(AnAgreement, IsToldInTheReasons) {
  say(Of::rate_up, Window::second, 50e6);
  const Choice choice = choose();
  ASSERT_TRUE(choice.preferred);
  bool told = false;
  for (const std::string& reason : choice.preferred->reasons)
    told |= reason.starts_with("keeps the agreement: ") &&
            reason.ends_with(" up over 1s, where it says 50 Mbit/s up over 1s");
  EXPECT_TRUE(told) << to_json(*choice.preferred, "EUR").dump(1);
}

TEST_F(AnAgreement, RiskIsThatProvidersWhichFailLeaveTooLittle) {
  for (PathState& path : paths_) path.availability = 0.9;
  profile_.dispersions = {Dispersion::earliest_delivery};
  EXPECT_NEAR(choose().preferred->expected.risk_percent, 0.1, 1e-9) << "all three are away";
  request_.rate_up_bps = 80'000'000;  // the fibre's, whatever else there is
  EXPECT_NEAR(choose().preferred->expected.risk_percent, 10, 1e-9);
}

}  // namespace
}  // namespace anabranch::control
