// SPDX-License-Identifier: BSD-3-Clause
// What two gateways tell each other: read back as it was said, and refused when it is anything
// else.
#include <gtest/gtest.h>

#include <random>

#include "control/json_reader.h"
#include "tests/control/messages.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

Announce announcement() {
  for (const Message& message : one_of_each()) {
    if (const auto* announce = std::get_if<Announce>(&message)) return *announce;
  }
  return {};
}

std::string refusal(const json& message) {
  const auto decoded = decode(message.dump());
  return decoded ? "understood" : decoded.error();
}

json announce() {
  return json::parse(encode(announcement()));
}

json announce_with(const char* field, const json& value) {
  json message = announce();
  message[field] = value;
  return message;
}

TEST(Messages, AreUnderstoodAsTheyWereMeant) {
  for (const Message& message : one_of_each()) {
    const auto decoded = decode(encode(message));
    ASSERT_TRUE(decoded) << decoded.error();
    EXPECT_EQ(decoded->index(), message.index());
    EXPECT_EQ(encode(*decoded), encode(message));
  }
  const Announce sent = announcement();
  const auto decoded = decode(encode(sent));
  const auto& a = std::get<Announce>(*decoded);
  EXPECT_EQ(a.service, 7u);
  EXPECT_EQ(a.client, "acme");
  EXPECT_EQ(a.receiver, 4096u);
  ASSERT_EQ(a.rules.size(), 3u);
  EXPECT_EQ(to_string(a.rules[2].source), "2001:db8:2::/48");
  EXPECT_EQ(to_string(a.rules[2].destination), "2001:db8:1::/64");
  EXPECT_EQ(to_string(a.rules[1].destination), "10.10.0.0/25");
  EXPECT_EQ(a.rules[1].protocol, 17);
  EXPECT_EQ(a.rules[1].destination_port_to, 5010);
  EXPECT_EQ(a.rules[1].dscp, 46);
  EXPECT_EQ(a.towards_us, sent.towards_us);
}

TEST(Messages, WithAsManyRulesAsMayBeFitIntoOne) {
  Announce largest = announcement();
  TrafficRule wordy = largest.rules[1];
  wordy.source = *parse_prefix("110.120.130.140/32");
  wordy.destination = *parse_prefix("210.220.230.240/32");
  wordy.source_port_from = 10000;
  wordy.source_port_to = 20000;
  wordy.destination_port_from = 30000;
  wordy.destination_port_to = 40000;
  largest.client = std::string(64, 'x');
  largest.rules.assign(kAnnouncedRulesMax, wordy);
  largest.towards_us.weights.fill(65535);
  largest.towards_us.rate_max = Treatment::kRateMax;
  largest.towards_us.urgent = UINT64_MAX;
  EXPECT_LE(encode(largest).size(), kMessageMax);
  EXPECT_TRUE(decode(encode(largest)));
  largest.rules.push_back(wordy);
  EXPECT_FALSE(decode(encode(largest)));
}

TEST(Messages, OutOfBoundsAreRefusedWithASentence) {
  const std::string prefix = "message \"announce\": ";
  const std::pair<json, std::string> cases[] = {
      {announce_with("service", 0),
       "/service: 0; expected a whole number from 1 to 9223372036854775807"},
      {announce_with("service", UINT64_MAX),
       "/service: 18446744073709551615; expected a whole number from 1 to 9223372036854775807"},
      {announce_with("service", "7"),
       "/service: \"7\"; expected a whole number from 1 to 9223372036854775807"},
      {announce_with("receiver", uint64_t{1} << 32),
       "/receiver: 4294967296; expected a whole number from 1 to 4294967295"},
      {announce_with("receiver", 1.5),
       "/receiver: 1.5; expected a whole number from 1 to 4294967295"},
      {announce_with("rules", json::array()), "/rules: []; expected a list of 1 to 64 objects"},
      {announce_with("rules", json::array({7})), "/rules/0: 7 is no JSON object"},
      {announce_with("dispersion", "fragment"),
       std::string("/dispersion: \"fragment\"; expected ") + kDispersions},
      {announce_with("order", json::array({16})),
       "/order: 16; expected whole numbers from 0 to 15"},
      {announce_with("resequence", 1), "/resequence: 1; expected true or false"},
      {announce_with("weights", json::array({0, -1})),
       "/weights: -1; expected whole numbers from 0 to 65535"},
      {announce_with("weights", json::array({65536})),
       "/weights: 65536; expected whole numbers from 0 to 65535"},
      {announce_with("weights", json::array({1e99})),
       "/weights: 1e+99; expected whole numbers from 0 to 65535"},
      {announce_with("client", ""), "/client: \"\"; expected the client's id"},
      {announce_with("weight", 0), "/weight: 0; expected a whole number from 1 to 100"},
      {announce_with("weight", 101), "/weight: 101; expected a whole number from 1 to 100"},
      {announce_with("rate_max", 63'999), "/rate_max: 63999; expected 0 or at least 64000"},
      {announce_with("rate_max", uint64_t{1} << 40),
       "/rate_max: 1099511627776; expected a whole number from 0 to 1000000000000"},
      {announce_with("urgent", json::array({64})),
       "/urgent: 64; expected whole numbers from 0 to 63"},
      {announce_with("background", 8),
       "/background: 8; expected a list of at most 64 whole numbers"},
      {announce_with("wieghts", 1), "/wieghts: unknown field; did you mean \"weights\"?"},
  };
  for (const auto& [message, sentence] : cases) EXPECT_EQ(refusal(message), prefix + sentence);
  EXPECT_NE(refusal(announce_with("weights", json(std::vector<int>(17, 1)))), "understood");
  EXPECT_NE(refusal(announce_with("rules", json(std::vector<json>(65, announce()["rules"][0])))),
            "understood");
}

// A rate at which nothing would arrive any more is no rate.
TEST(Messages, OrderRatesThatCanBeSentAt) {
  const auto ordered = [](const json& rate_bps) {
    return json{{"type", "ordered"}, {"paths", json::array({{{"id", 1}, {"rate_bps", rate_bps}}})}};
  };
  EXPECT_EQ(refusal(ordered(0)), "understood");
  EXPECT_EQ(refusal(ordered(64'000)), "understood");
  EXPECT_EQ(refusal(ordered(63'999)),
            "message \"ordered\": /paths/0/rate_bps: 63999; expected 0 or at least 64000");
  EXPECT_EQ(
      refusal(ordered(uint64_t{1} << 40)),
      "message \"ordered\": /paths/0/rate_bps: 1099511627776; expected a whole number from 0 to "
      "1000000000000");
}

TEST(Messages, OfUnknownKindsAreRefused) {
  EXPECT_EQ(refusal({{"type", "shutdown"}}),
            "message \"shutdown\": /type: \"shutdown\"; expected a message of this version");
  EXPECT_EQ(refusal(json::object()),
            "message \"\": /type: is missing; expected the kind of message");
  for (const char* wrong : {"7", "null", "[]", "\"alive\""})
    EXPECT_EQ(decode(wrong).error(), "message is not a JSON object");
  for (const char* wrong : {"", "{", "{\"type\": \"alive\"", "\xff\xfe", "{\"type\": \"alive\"} {}",
                            "{\"type\": \"end\", \"service\": 1e999}"}) {
    const auto decoded = decode(wrong);
    ASSERT_FALSE(decoded) << wrong;
    EXPECT_TRUE(decoded.error().starts_with("message is not understood: ")) << decoded.error();
  }
}

TEST(Messages, CutOffAnywhereAreRefused) {
  for (const Message& message : one_of_each()) {
    const std::string text = encode(message);
    for (size_t size = 0; size < text.size(); ++size) {
      const auto decoded = decode(std::string_view(text).substr(0, size));
      ASSERT_FALSE(decoded) << text.substr(0, size);
      EXPECT_FALSE(decoded.error().empty());
    }
  }
}

TEST(Messages, WithoutAnyOneFieldAreRefusedByItsName) {
  for (const Message& message : one_of_each()) {
    const json whole = json::parse(encode(message));
    for (const auto& [field, value] : whole.items()) {
      json without = whole;
      without.erase(field);
      EXPECT_NE(refusal(without).find("/" + field + ": "), std::string::npos)
          << without << refusal(without);
    }
  }
}

TEST(Messages, WithAnyByteChangedAreRefusedOrWithinBounds) {
  int refused = 0;
  for (const Message& message : one_of_each()) {
    const std::string whole = encode(message);
    for (size_t at = 0; at < whole.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        std::string text = whole;
        text[at] = static_cast<char>(value);
        const auto decoded = decode(text);
        refused += !decoded;
        if (!decoded) continue;
        // What was understood can be said again: nothing in it is out of bounds.
        const auto again = decode(encode(*decoded));
        ASSERT_TRUE(again) << text << ": " << again.error();
        ASSERT_EQ(encode(*again), encode(*decoded)) << text;
      }
    }
  }
  EXPECT_GT(refused, 10000);
}

TEST(Messages, NestedDeeplyAreRefused) {
  const size_t depth = kMessageMax / 2 - 100;
  const std::string nested = std::string(depth, '[') + std::string(depth, ']');
  for (const char* field : {"type", "service", "rules", "weights", "client", "unknown"}) {
    json others = announce();
    others.erase(field);
    std::string text = others.dump();
    text.insert(1, "\"" + std::string(field) + "\":" + nested + ",");
    const auto decoded = decode(text);
    ASSERT_FALSE(decoded) << field;
    EXPECT_LT(decoded.error().size(), 500u) << field;
  }
}

TEST(Messages, CutALongReasonBetweenCharacters) {
  for (const size_t shift : {0, 1}) {
    std::string reason(shift, 'x');
    for (int i = 0; i < 500; ++i) reason += "ä";
    std::string text;
    ASSERT_NO_THROW(text = encode(Refuse{7, reason})) << shift;
    const auto decoded = decode(text);
    ASSERT_TRUE(decoded) << decoded.error();
    const std::string& said = std::get<Refuse>(*decoded).reason;
    EXPECT_GE(said.size(), 255u);
    EXPECT_LE(said.size(), 256u);
    EXPECT_TRUE(reason.starts_with(said));
  }
}

}  // namespace
}  // namespace anabranch::control
