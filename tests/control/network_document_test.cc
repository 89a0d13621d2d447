// SPDX-License-Identifier: BSD-3-Clause
#include "control/network_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

json a_network() {
  return json::parse(R"({"id": "airmobile-5g", "provider": "airmobile", "kind": "mobile",
    "maintenance": [{"from": "2026-12-01T01:00:00Z", "until": "2026-12-01T03:00:00Z",
                     "why": "new antennas"},
                    {"from": "2026-12-01T02:00:00Z", "until": "2026-12-01T04:00:00Z"}]})");
}
int64_t moment_of(const char* hour) {
  return *parse_instant("2026-12-01T" + std::string(hour) + ":00Z");
}

std::string told_of(const json& document, bool is_network) {
  std::string lines;
  const auto add = [&](const auto& parsed) {
    if (parsed) return;
    for (const auto& e : parsed.error()) lines += e.pointer + ": " + e.detail + "\n";
  };
  is_network ? add(parse_network(document)) : add(parse_uplink(document));
  return lines;
}

TEST(NetworkDocuments, MistakesAreNamedByTheirField) {
  json network = a_network();
  EXPECT_EQ(told_of(network, true), "");
  network["kind"] = "pigeon";
  network["colour"] = "red";
  network["maintenance"][1]["until"] = "2026-12-01T02:00:00Z";
  EXPECT_EQ(told_of(network, true),
            "/kind: \"pigeon\"; expected \"fibre\", \"cable\", \"dsl\", \"mobile\", \"satellite\", "
            "\"radio\" or \"other\"\n"
            "/maintenance/1/until: 2026-12-01T02:00:00Z; expected a time after \"from\"\n"
            "/colour: unknown field\n");
  EXPECT_EQ(told_of({{"id", "fibre"}, {"committed_rate_up", "10 kbit/s"}}, false),
            "/committed_rate_up: \"10 kbit/s\"; expected a rate of 64 kbit/s or more, such as \"50 "
            "Mbit/s\"\n");
}

TEST(NetworkDocuments, APathInMaintenanceIsNotUsedAndSaysUntilWhen) {
  const auto network = parse_network(a_network());
  ASSERT_TRUE(network);
  const auto alive = [&](const char* hour) {
    PathState path = three_links()[1];
    apply_documents(path, &*network, nullptr, moment_of(hour));
    return path.alive;
  };
  EXPECT_TRUE(alive("00:59"));
  EXPECT_FALSE(alive("01:00"));
  EXPECT_FALSE(alive("03:59"));
  EXPECT_TRUE(alive("04:00"));
  std::vector<PathState> paths = three_links();
  apply_documents(paths[1], &*network, nullptr, moment_of("01:30"));
  const Choice choice = prefer(paths, {.id = "any"}, {}, "EUR");
  ASSERT_TRUE(choice.preferred) << choice.refusal;
  EXPECT_THAT(choice.preferred->reasons,
              Contains("mobile is left out: the network airmobile-5g is in maintenance until "
                       "2026-12-01T03:00:00Z (new antennas)"));
}

TEST(NetworkDocuments, NoMoreIsCountedOnThanIsCommitted) {
  const auto uplink = parse_uplink({{"id", "fibre"}, {"committed_rate_up", "40 Mbit/s"}});
  ASSERT_TRUE(uplink);
  PathState path = three_links()[0];
  apply_documents(path, nullptr, &*uplink, moment_of("00:00"));
  EXPECT_EQ(path.rate_up_bps, 40'000'000u);
  EXPECT_EQ(path.rate_down_bps, 100'000'000u);
  const Choice refused = prefer({path}, {.id = "any"}, {.rate_up_bps = 60'000'000}, "EUR");
  EXPECT_THAT(refused.refusal, HasSubstr("does not keep 60 Mbit/s up"));
  EXPECT_THAT(refused.refusal, HasSubstr("; fibre: its provider stands for 40 Mbit/s up"));
  path = three_links()[0];
  path.rate_up_bps = 30'000'000;
  apply_documents(path, nullptr, &*uplink, moment_of("00:00"));
  EXPECT_EQ(path.rate_up_bps, 30'000'000u) << "as measured";
  EXPECT_EQ(path.quota, "");
}

}  // namespace
}  // namespace anabranch::control
