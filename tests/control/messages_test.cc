// SPDX-License-Identifier: BSD-3-Clause
#include "control/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace anabranch::control {
namespace {

using testing::HasSubstr;

Announce announce() {
  Announce a;
  a.service = 7;
  a.client = "acme";
  a.receiver = 70'000;
  a.segmentation = Segmentation::flow;
  a.resequence = false;
  a.weights = {0, 40'000, 25'535};
  TrafficRule rule;
  rule.source = *parse_prefix("10.20.0.0/24");
  rule.destination = *parse_prefix("10.10.0.0/24");
  rule.protocol = 6;
  rule.destination_port_from = 80;
  rule.destination_port_to = 443;
  rule.dscp = 46;
  a.rules = {rule};
  return a;
}

std::vector<Message> one_of_each() {
  return {Hello{kSessionVersion, "site-a", 99, {1, 2, 15}}, House{5}, announce(), Accept{7, 12},
          Refuse{7, "10.20.0.0/24 is not behind site-b"},   End{7},   Gone{7},    Alive{}};
}

std::string refusal(const std::string& text) {
  const auto message = decode(text);
  EXPECT_FALSE(message) << text;
  return message ? "" : message.error();
}

TEST(Messages, ArriveAsTheyWereSent) {
  for (const Message& message : one_of_each()) {
    const std::string text = encode(message);
    EXPECT_LE(text.size(), kMessageMax);
    const auto arrived = decode(text);
    ASSERT_TRUE(arrived) << text << ": " << arrived.error();
    EXPECT_EQ(arrived->index(), message.index());
    EXPECT_EQ(encode(*arrived), text);
  }
}

TEST(Messages, OfAnotherKindOrShapeAreRefusedByTheirField) {
  EXPECT_EQ(refusal(""), "message is not a JSON object");
  EXPECT_EQ(refusal("[1]"), "message is not a JSON object");
  EXPECT_THAT(refusal("{}"), HasSubstr("/type"));
  EXPECT_THAT(refusal(R"({"type":"pay"})"), HasSubstr("/type: \"pay\""));
  EXPECT_THAT(refusal(R"({"type":"alive","more":1})"), HasSubstr("/more"));
  EXPECT_THAT(refusal(R"({"type":"house","receiver":0})"), HasSubstr("/receiver"));
  EXPECT_THAT(refusal(R"({"type":"house","receiver":4294967296})"), HasSubstr("/receiver"));
  EXPECT_THAT(refusal(R"({"type":"accept","service":-1,"receiver":1})"), HasSubstr("/service"));
  EXPECT_THAT(refusal(R"({"type":"accept","service":18446744073709551615,"receiver":1})"),
              HasSubstr("/service"));
  EXPECT_THAT(refusal(R"({"type":"hello","version":1,"gateway":"b","instance":1,"paths":[16]})"),
              HasSubstr("/paths"));
  EXPECT_THAT(refusal(std::string(kMessageMax, '[')), HasSubstr("not a JSON object"));
}

TEST(Messages, CarryAReasonThatWasCutInTheMiddleOfACharacter) {
  std::string reason(255, 'x');
  reason += "\u00fc";
  const auto arrived = decode(encode(Refuse{7, reason}));
  ASSERT_TRUE(arrived) << arrived.error();
  EXPECT_THAT(std::get<Refuse>(*arrived).reason, testing::StartsWith(std::string(255, 'x')));
}

TEST(Messages, BeyondTheirLimitsAreRefused) {
  Announce a = announce();
  a.rules.assign(65, a.rules.front());
  EXPECT_THAT(refusal(encode(a)), HasSubstr("/rules"));
  auto text = encode(announce());
  text.replace(text.find("25535"), 5, "65536");
  EXPECT_THAT(refusal(text), HasSubstr("/weights"));
}

TEST(Messages, WithAnyOctetChangedAreReadOrRefusedAndNothingElse) {
  std::mt19937_64 random(1);
  uint64_t refused = 0, read = 0;
  for (const Message& message : one_of_each()) {
    const std::string text = encode(message);
    for (size_t i = 0; i < text.size(); ++i) {
      EXPECT_FALSE(decode(text.substr(0, i))) << "cut short: " << text.substr(0, i);
      for (int n = 0; n < 20; ++n) {
        std::string changed = text;
        changed[i] = static_cast<char>(random());
        const auto arrived = decode(changed);
        if (!arrived) {
          ++refused;
          EXPECT_FALSE(arrived.error().empty());
          continue;
        }
        ++read;
        // What was read can be said again: nothing out of range has got in.
        EXPECT_TRUE(decode(encode(*arrived))) << changed;
      }
    }
  }
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(read, 100u);
}

}  // namespace
}  // namespace anabranch::control
