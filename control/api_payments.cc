// SPDX-License-Identifier: BSD-3-Clause
// What the API has of payments.
#include <spdlog/spdlog.h>

#include "billing/card_events.h"
#include "billing/wall_clock.h"
#include "control/api_calls.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

// Of the first issuer, as billing takes it.
tl::expected<std::vector<std::string>, std::string> event_secrets(const json& issuers) {
  const auto issuer = issuers.empty() ? tl::unexpected(billing::DocumentErrors())
                                      : billing::parse_issuer(issuers[0]);
  if (!issuer || !issuer->cards || issuer->cards->events_key_file.empty())
    return tl::unexpected(
        std::string("the issuer's document says nothing of cards and their events_key_file"));
  return billing::read_event_secrets(*issuer->cards);
}

}  // namespace

// Whoever signs with the secret is the processor: it has no token. It is answered before it is
// known what follows, for it tells again what was not answered soon.
void Api::serve_card_events() {
  server_->Post(find_operation("cardEvents")->path, [this](const httplib::Request& request,
                                                           httplib::Response& response) {
    const auto issuers = loop_.call([this] { return target_.documents.list("issuers"); }).get();
    const auto secrets = event_secrets(issuers.body);
    if (!secrets) return write(response, refuse(404, "No events", secrets.error()));
    const auto signature =
        billing::check_signature(request.body, request.get_header_value("Stripe-Signature"),
                                 *secrets, billing::wall_now_ns());
    if (!signature) return write(response, refuse(400, "Not believed", signature.error()));
    const auto event = billing::read_card_event(request.body);
    if (!event) return write(response, refuse(400, "Not an event", event.error()));
    if (*event) target_.books.desk().heard(**event);
    write(response, {200, {{"received", true}}});
  });
}

void Api::serve_payments() {
  serve_card_events();
}

}  // namespace anabranch::control
