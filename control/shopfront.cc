// SPDX-License-Identifier: BSD-3-Clause
#include "control/shopfront.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "billing/wall_clock.h"
#include "control/negotiation/moment.h"

namespace anabranch::control {
namespace {

using billing::Amount;
using negotiation::kSecondNs;
using negotiation::Shop;
using nlohmann::json;

constexpr const char* kKind = "shops";
constexpr int64_t kTryAgainNs = 10 * kSecondNs;
constexpr Uint128 kNanoUnit = 1'000'000'000;  // of attos: quotes have nine decimals

std::string key_of(const Shop::Sold& sold) {
  return "shop-" + sold.order;
}

// Rounded up, so that nothing is sold below its price.
Amount quoted(Uint128 attos_per_gb) {
  return Amount::from_attos(
      static_cast<billing::Int128>((attos_per_gb + kNanoUnit - 1) / kNanoUnit * kNanoUnit));
}

}  // namespace

Shopfront::Shopfront(const Config& config, const DocumentStore& documents, Books& books,
                     Services& services)
    : config_(config),
      documents_(documents),
      books_(books),
      services_(services),
      shop_({.spare = [this](int64_t, int64_t) { return spare(); }}) {}

tl::expected<void, std::string> Shopfront::reopen() {
  const auto stored = books_.documents(kKind);
  if (!stored) return tl::unexpected(stored.error());
  for (const auto& [id, text] : *stored) {
    if (id != document_id()) continue;
    if (auto restored = shop_.restore(json::parse(text, nullptr, false)); !restored)
      return restored;
  }
  return {};
}

std::optional<negotiation::Spare> Shopfront::spare() const {
  const auto offer = services_.offer(buyer_, config_.shop_bps);
  if (!offer) return std::nullopt;
  const Prediction& expected = offer->scenario.expected;
  const double bps = std::min(
      {expected.goodput_up_bps, expected.goodput_down_bps, static_cast<double>(config_.shop_bps)});
  negotiation::Spare spare;
  spare.path = config_.name + " to " + config_.peer.name;
  spare.bandwidth_mbps = static_cast<uint64_t>(bps / 1e6);
  spare.delay_ms = expected.latency_ms;
  spare.loss_percent = expected.loss_percent;
  spare.prices = {{negotiation::Per::gigabyte, quoted(expected.price_attos_per_gb)}};
  spare.currency = offer->currency;
  return spare;
}

negotiation::Reply Shopfront::handle(const negotiation::Asked& asked) {
  buyer_ = asked.buyer;
  const json before = shop_.state();
  negotiation::Reply reply = shop_.handle(asked);
  if (!shop_.changed()) return reply;
  const auto stored = books_.put_document(kKind, document_id(), shop_.state().dump());
  if (stored) {
    tick();
    return reply;
  }
  spdlog::error("what the shop sold is not stored, and not sold: {}", stored.error());
  (void)shop_.restore(before);
  return negotiation::error_reply(500, "notStored", "this gateway cannot store it now");
}

void Shopfront::tick() {
  for (const Shop::Sold& sold : shop_.sold()) {
    if (!sold.order.empty()) serve(sold);
  }
}

void Shopfront::serve(const Shop::Sold& sold) {
  const int64_t now_ns = billing::wall_now_ns();
  const auto service = services_.id_of_key(sold.buyer, key_of(sold));
  if (sold.order_cancelled || sold.until_ns <= now_ns) {
    tried_ns_.erase(sold.order);
    if (service) services_.end(*service, {}, [](const Answer&) {});
    return;
  }
  if (service || now_ns - tried_ns_[sold.order] < kTryAgainNs) return;
  tried_ns_[sold.order] = now_ns;
  services_.request(request_of(sold), [order = sold.order](const Answer& answer) {
    if (answer.status >= 400)
      spdlog::error("order {} is no service yet: {}", order, answer.body.value("detail", ""));
  });
}

json Shopfront::request_of(const Shop::Sold& sold) const {
  json traffic = json::array();
  if (const Client* client = documents_.client(sold.buyer)) {
    for (const Prefix& prefix : client->prefixes)
      traffic.push_back({{"source", to_string(prefix)}});
  }
  const std::string rate = rate_text(sold.bandwidth_mbps * 1'000'000);
  return {{"client", sold.buyer},
          {"key", key_of(sold)},
          {"traffic", traffic},
          {"rate_up", rate},
          {"rate_down", rate},
          {"start", instant_text(sold.from_ns / kSecondNs)},
          {"until", instant_text(sold.until_ns / kSecondNs)}};
}

}  // namespace anabranch::control
