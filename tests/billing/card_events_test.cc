// SPDX-License-Identifier: BSD-3-Clause
// Events of a processor of cards: who signed them, and what they are of. What Stripe's own client
// says of signatures is compared in bill_pay_test.py.
#include "billing/card_events.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr int64_t kEventS = 1'700'000'000, kEventNs = kEventS * 1'000'000'000;
const std::string kEventBody = R"({"id": "evt_1", "type": "charge.refunded"})";
// printf '%s' '1700000000.{"id": …}' | openssl dgst -sha256 -hmac whsec_1, and whsec_2
const std::string kBy1 = "9f83d527778671c7d097fe716a14c8a7b8ac404dadac43c0c7b4484652c4f939";
const std::string kBy2 = "1d48039a451e97caaa477f1188f1d4cb12f7cec5435d13503246f1f35e800418";

std::string error_of(const std::string& header, std::vector<std::string> secrets = {"whsec_1"},
                     int64_t now_ns = kEventNs, const std::string& body = kEventBody) {
  const auto checked = check_signature(body, header, secrets, now_ns);
  return checked ? "" : checked.error();
}

TEST(CardEvents, AreBelievedByOneOfTheSecretsAlone) {
  const std::string right = "t=1700000000,v1=" + kBy1;
  EXPECT_EQ(error_of(right), "");
  EXPECT_EQ(error_of("t=1700000000,v0=abc,v1=00,v1=" + kBy1), "") << "one of several";
  EXPECT_EQ(error_of(right, {"whsec_2", "whsec_1"}), "") << "while the secret changes";
  EXPECT_EQ(error_of("t=1700000000,v1=" + kBy2, {"whsec_2", "whsec_1"}), "");
  const std::string by_none = "no signature of it is by a secret that is known here";
  EXPECT_EQ(error_of(right, {"whsec_2"}), by_none);
  EXPECT_EQ(error_of(right, {}), by_none);
  EXPECT_EQ(error_of(right, {"whsec_1"}, kEventNs, kEventBody + " "), by_none);
  EXPECT_EQ(error_of("t=1700000001,v1=" + kBy1), by_none) << "the time is signed too";
  EXPECT_EQ(error_of("t=1700000000,v1=" + kBy1.substr(0, 63)), by_none);
  EXPECT_EQ(error_of("t=1700000000,v1="), by_none);
}

TEST(CardEvents, AreBelievedForFiveMinutes) {
  const std::string right = "t=1700000000,v1=" + kBy1;
  constexpr int64_t kSecond = 1'000'000'000;
  EXPECT_EQ(error_of(right, {"whsec_1"}, kEventNs + 300 * kSecond), "");
  EXPECT_EQ(error_of(right, {"whsec_1"}, kEventNs - 300 * kSecond), "");
  EXPECT_EQ(error_of(right, {"whsec_1"}, kEventNs + 301 * kSecond),
            "it was signed 301 s ago; expected at most 300 s from now");
  EXPECT_EQ(error_of(right, {"whsec_1"}, kEventNs - 301 * kSecond),
            "it was signed 301 s ahead; expected at most 300 s from now");
}

TEST(CardEvents, OfBadHeadersAreRefusedWithTheReason) {
  EXPECT_EQ(error_of(""), "it has no header Stripe-Signature");
  for (const char* header : {"v1=00", "t=,v1=00", "t=-5,v1=00", "t=17x,v1=00", ",,,", "t",
                             "t=99999999999999999999,v1=00"})
    EXPECT_EQ(error_of(header), "Stripe-Signature has no time; expected such as t=1700000000");
  EXPECT_EQ(error_of("t=1700000000,v0=00"), "Stripe-Signature has no signature of the scheme v1");
  EXPECT_EQ(error_of("t=1700000000"), "Stripe-Signature has no signature of the scheme v1");
}

json event_of(const std::string& kind, const json& object) {
  return {{"id", "evt_1"}, {"type", kind}, {"data", {{"object", object}}}};
}

TEST(CardEvents, SayWhichPaymentTheyAreOf) {
  const json metadata{{"anabranch_payment", "2026-000001-abc-1"}};
  const auto paid = read_card_event(
      event_of("payment_intent.succeeded", {{"id", "pi_1"}, {"metadata", metadata}}).dump());
  ASSERT_TRUE(paid && *paid);
  EXPECT_EQ((*paid)->key, "2026-000001-abc-1");
  EXPECT_EQ((*paid)->ids, std::vector<std::string>{"pi_1"});
  EXPECT_FALSE((*paid)->is_of_aftermath);
  const auto disputed = read_card_event(
      event_of(
          "charge.dispute.created",
          {{"id", "dp_1"}, {"payment_intent", "pi_1"}, {"charge", "ch_1"}, {"metadata", nullptr}})
          .dump());
  ASSERT_TRUE(disputed && *disputed);
  EXPECT_EQ((*disputed)->key, "");
  EXPECT_EQ((*disputed)->ids, (std::vector<std::string>{"dp_1", "pi_1", "ch_1"}));
  EXPECT_TRUE((*disputed)->is_of_aftermath);
}

TEST(CardEvents, OfOtherKindsAreNone) {
  for (const char* kind : {"customer.created", "charge.captured", "payout.paid", "refund", "x"}) {
    const auto read = read_card_event(event_of(kind, {{"id", "x"}}).dump());
    ASSERT_TRUE(read) << kind;
    EXPECT_FALSE(read->has_value()) << kind;
  }
}

TEST(CardEvents, ThatAreNoneAreRefused) {
  for (const char* body : {"", "x", "[]", "null", "{}", R"({"type": 5})", R"({"type": ""})"})
    EXPECT_FALSE(read_card_event(body)) << body;
  for (const char* body :
       {R"({"type": "refund.updated"})", R"({"type": "refund.updated", "data": []})",
        R"({"type": "refund.updated", "data": {"object": "pi_1"}})"})
    EXPECT_FALSE(read_card_event(body)) << body;
}

}  // namespace
}  // namespace anabranch::billing
