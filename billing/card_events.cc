// SPDX-License-Identifier: BSD-3-Clause
#include "billing/card_events.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "billing/processor.h"
#include "billing/sha256.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr int64_t kToleranceS = 300;

struct Signatures {
  std::string_view time;  // as it is signed
  std::vector<std::string_view> v1;
};

Signatures signatures_in(std::string_view header) {
  Signatures s;
  while (!header.empty()) {
    const std::string_view item = header.substr(0, header.find(','));
    if (item.starts_with("t=")) s.time = item.substr(2);
    if (item.starts_with("v1=")) s.v1.push_back(item.substr(3));
    header.remove_prefix(std::min(item.size() + 1, header.size()));
  }
  return s;
}

std::string signed_with(const std::string& secret, std::string_view time, std::string_view body) {
  const std::string text = std::string(time) + "." + std::string(body);
  std::array<uint8_t, 32> code{};
  unsigned octets = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), code.data(),
           &octets) == nullptr)
    std::abort();
  return hexadecimal(code);
}

// How long it takes says nothing of where they differ.
bool is_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string named(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

bool is_of_payment(std::string_view kind) {
  return kind.starts_with("payment_intent.") || kind == "charge.succeeded" ||
         kind == "charge.failed" || kind == "charge.pending";
}

bool is_of_aftermath(std::string_view kind) {
  return kind == "charge.refunded" || kind == "charge.refund.updated" ||
         kind.starts_with("refund.") || kind.starts_with("charge.dispute.");
}

}  // namespace

tl::expected<void, std::string> check_signature(std::string_view body, std::string_view header,
                                                std::span<const std::string> secrets,
                                                int64_t now_ns) {
  if (header.empty()) return tl::unexpected(std::string("it has no header Stripe-Signature"));
  const Signatures given = signatures_in(header);
  int64_t time_s = 0;
  const char* const end = given.time.data() + given.time.size();
  const auto read = std::from_chars(given.time.data(), end, time_s);
  if (read.ec != std::errc() || read.ptr != end || time_s < 0)
    return tl::unexpected(
        std::string("Stripe-Signature has no time; expected such as t=1700000000"));
  if (given.v1.empty())
    return tl::unexpected(std::string("Stripe-Signature has no signature of the scheme v1"));
  bool is_by_one = false;
  for (const std::string& secret : secrets) {
    const std::string expected = signed_with(secret, given.time, body);
    for (const std::string_view v1 : given.v1) is_by_one = is_equal(v1, expected) || is_by_one;
  }
  if (!is_by_one)
    return tl::unexpected(std::string("no signature of it is by a secret that is known here"));
  const int64_t age_s = now_ns / 1'000'000'000 - time_s;
  if (age_s > kToleranceS || age_s < -kToleranceS) {
    return tl::unexpected(fmt::format("it was signed {} s {}; expected at most {} s from now",
                                      age_s < 0 ? -age_s : age_s, age_s < 0 ? "ahead" : "ago",
                                      kToleranceS));
  }
  return {};
}

tl::expected<std::optional<CardEvent>, std::string> read_card_event(std::string_view body) {
  const json event = json::parse(body, nullptr, false);
  if (!event.is_object() || named(event, "type").empty())
    return tl::unexpected(std::string("it is no event; expected a JSON object with a type"));
  CardEvent e{.id = named(event, "id"), .kind = named(event, "type"), .key = {}, .ids = {}};
  e.is_of_aftermath = is_of_aftermath(e.kind);
  if (!e.is_of_aftermath && !is_of_payment(e.kind)) return std::optional<CardEvent>();
  const json data = event.value("data", json());
  const json object = data.is_object() ? data.value("object", json()) : json();
  if (!object.is_object())
    return tl::unexpected(std::string("it says of nothing: it has no object /data/object"));
  for (const char* name : {"id", "payment_intent", "charge"}) {
    if (auto id = named(object, name); !id.empty()) e.ids.push_back(std::move(id));
  }
  const json metadata = object.value("metadata", json());
  if (metadata.is_object()) e.key = named(metadata, kKeyInMetadata);
  return e;
}

}  // namespace anabranch::billing
