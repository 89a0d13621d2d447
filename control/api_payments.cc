// SPDX-License-Identifier: BSD-3-Clause
// What the API has of payments. The intent is in the ledger before it is handed to the desk
// (billing/payment_desk.h): who waits too long for the answer looks again, and nothing is lost.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <type_traits>

#include "billing/card_events.h"
#include "billing/payment_json.h"
#include "billing/wall_clock.h"
#include "control/api_calls.h"
#include "control/json_reader.h"

namespace anabranch::control {
namespace {

using billing::wall_now_ns;
using nlohmann::json;

constexpr auto kPayPatience = std::chrono::seconds(10);
constexpr auto kDunPatience = std::chrono::seconds(30);
constexpr size_t kOnceMax = 255;
constexpr const char* kAmountWanted = "an amount such as \"12.50\", in whole coins";

// Of the first issuer, as billing takes it.
tl::expected<std::vector<std::string>, std::string> event_secrets(const json& issuers) {
  const auto issuer = issuers.empty() ? tl::unexpected(billing::DocumentErrors())
                                      : billing::parse_issuer(issuers[0]);
  if (!issuer || !issuer->cards || issuer->cards->events_key_file.empty())
    return tl::unexpected(
        std::string("the issuer's document says nothing of cards and their events_key_file"));
  return billing::read_event_secrets(*issuer->cards);
}

std::optional<billing::Amount> coins_in(const std::string& text, int digits) {
  const auto amount = billing::parse_amount(text);
  const bool is_right =
      amount && *amount > billing::Amount() && billing::round_to_minor(*amount, digits) == *amount;
  return is_right ? amount : std::nullopt;
}

std::optional<int> coin_digits(const std::string& currency) {
  return billing::minor_digits(currency);
}

struct Transfer {
  billing::Payment payment;
  std::string reference;
};

Parsed<Transfer> parse_transfer(const json& document) {
  FieldErrors errors;
  JsonReader r(document, "", errors);
  Transfer t;
  t.payment.account = billing::Ledger::client_account(read_id(r, "client"));
  const int digits = r.parsed("currency", "a currency such as \"EUR\"", coin_digits).value_or(2);
  t.payment.amount = r.parsed("amount", kAmountWanted, [&](const std::string& text) {
                        return coins_in(text, digits);
                      }).value_or(billing::Amount());
  t.reference = r.text("reference", "the transfer's");
  t.payment.statement = r.text("statement", "a statement's number", r.has("issuer"));
  t.payment.issuer = r.text("issuer", "the statement's issuer", r.has("statement"));
  if (t.reference.size() > 200) r.fail("reference", "is too long; expected at most 200 octets");
  r.finish();
  if (errors.empty()) t.payment.currency = document.at("currency").get<std::string>();
  return result_of(std::move(t), std::move(errors));
}

// To be given back of a payment, in its currency.
Parsed<billing::Amount> parse_refund(const json& document, const std::string& currency) {
  FieldErrors errors;
  JsonReader r(document, "", errors);
  const int digits = billing::minor_digits(currency).value_or(2);
  const auto amount = r.parsed("amount", kAmountWanted,
                               [&](const std::string& text) { return coins_in(text, digits); });
  r.finish();
  if (errors.empty()) return *amount;
  return tl::unexpected(std::move(errors));
}

Parsed<std::string> parse_dunning(const json& document) {
  FieldErrors errors;
  JsonReader r(document, "", errors);
  std::string account;
  if (r.has("client")) account = billing::Ledger::client_account(read_id(r, "client"));
  r.finish();
  return result_of(std::move(account), std::move(errors));
}

Answer not_understood(const FieldErrors& errors) {
  return refuse(400, "Not understood", "some fields are wrong", errors);
}

Answer no_payments(const std::string& why) {
  return refuse(503, "No payments now", why);
}

Answer unknown_payment(const std::string& key) {
  return refuse(404, "Unknown payment", "there is no payment \"" + key + "\"");
}

// What the caller names it by itself, to ask for it once; empty: nothing.
tl::expected<std::string, Answer> once_of(const httplib::Request& request) {
  const std::string once = request.get_header_value("Idempotency-Key");
  if (once.size() <= kOnceMax) return once;
  return tl::unexpected(refuse(400, "Not understood",
                               "Idempotency-Key is too long; expected at most 255 characters"));
}

// What the desk makes of it; nullopt: not in time, or it ends.
template <typename Work>
auto at_desk(billing::PaymentDesk& desk, std::chrono::seconds patience, Work work) {
  using Result = std::invoke_result_t<Work, const tl::expected<billing::Payer*, std::string>&>;
  const auto promise = std::make_shared<std::promise<Result>>();
  auto future = promise->get_future();
  const bool is_taken =
      desk.post([promise, work](const tl::expected<billing::Payer*, std::string>& payer) {
        promise->set_value(work(payer));
      });
  const bool is_done = is_taken && future.wait_for(patience) == std::future_status::ready;
  try {
    return is_done ? std::optional<Result>(future.get()) : std::nullopt;
  } catch (const std::future_error&) {
    return std::optional<Result>();
  }
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
    const auto signature = billing::check_signature(
        request.body, request.get_header_value("Stripe-Signature"), *secrets, wall_now_ns());
    if (!signature) return write(response, refuse(400, "Not believed", signature.error()));
    const auto event = billing::read_card_event(request.body);
    if (!event) return write(response, refuse(400, "Not an event", event.error()));
    if (*event) target_.books.desk().heard(**event);
    write(response, {200, {{"received", true}}});
  });
}

// The desk goes on with what was intended; what it comes to is the answer, unless it takes long.
void Api::write_paid(const Call& call,
                     const tl::expected<billing::Payment, std::string>& intended) {
  if (!intended) return write(call.response, refuse(409, "Not paid", intended.error()));
  billing::Payment payment = *intended;
  if (!is_final(payment.now.state)) {
    using Paid = tl::expected<billing::Payment, std::string>;
    const auto paid =
        at_desk(target_.books.desk(), kPayPatience,
                [key = payment.key](const tl::expected<billing::Payer*, std::string>& payer) {
                  return payer ? (*payer)->go_on_with(key, wall_now_ns())
                               : Paid(tl::unexpected(payer.error()));
                });
    if (paid && *paid)
      payment = **paid;
    else if (paid)
      spdlog::warn("payment {} is not gone on with yet: {}", payment.key, paid->error());
  }
  const bool is_done = is_final(payment.now.state);
  if (!is_done) call.response.set_header("Location", "/v1/payments/" + payment.key);
  write(call.response, {is_done ? 201 : 202, billing::to_json(payment)});
}

void Api::serve_paying() {
  serve("payStatement", [this](const Call& call) {
    if (!is_own_client(call)) return;
    const auto once = once_of(call.request);
    if (!once) return write(call.response, once.error());
    auto ledger = target_.books.connect();
    if (!ledger) return write(call.response, no_payments(ledger.error()));
    const std::string account = target_.books.client_account(call.word(1));
    const auto issued = target_.books.issued_statements(account);
    if (!issued) return write(call.response, no_payments(issued.error()));
    if (billing::find_statement(*issued, call.word(2), call.word(3)) == nullptr)
      return write(call.response,
                   refuse(404, "Unknown statement", "it has no such statement to pay"));
    write_paid(call, billing::Payer(*ledger, nullptr)
                         .intend(account, call.word(2), call.word(3), *once, wall_now_ns()));
  });
  serve("refundPayment", [this](const Call& call) {
    const auto once = once_of(call.request);
    if (!once) return write(call.response, once.error());
    const auto body = parse_body(call.request, call.response);
    if (!body) return;
    auto ledger = target_.books.connect();
    if (!ledger) return write(call.response, no_payments(ledger.error()));
    const auto of = ledger->payments({.key = call.word(1)});
    if (!of) return write(call.response, no_payments(of.error().text));
    if (of->empty()) return write(call.response, unknown_payment(call.word(1)));
    const auto amount = parse_refund(*body, of->front().currency);
    if (!amount) return write(call.response, not_understood(amount.error()));
    write_paid(call, billing::Payer(*ledger, nullptr)
                         .intend_refund(call.word(1), *amount, *once, wall_now_ns()));
  });
  serve("notePayment", [this](const Call& call) {
    const auto body = parse_body(call.request, call.response);
    if (!body) return;
    const auto transfer = parse_transfer(*body);
    if (!transfer) return write(call.response, not_understood(transfer.error()));
    auto ledger = target_.books.connect();
    if (!ledger) return write(call.response, no_payments(ledger.error()));
    write_paid(call, billing::Payer(*ledger, nullptr)
                         .received(transfer->payment, transfer->reference, wall_now_ns()));
  });
  serve("dun", [this](const Call& call) {
    const auto body = parse_body(call.request, call.response);
    if (!body) return;
    const auto account = parse_dunning(*body);
    if (!account) return write(call.response, not_understood(account.error()));
    const auto answer = at_desk(
        target_.books.desk(), kDunPatience,
        [account = *account](const tl::expected<billing::Payer*, std::string>& payer) {
          const auto report =
              payer ? (*payer)->run(wall_now_ns(), account, true) : tl::unexpected(payer.error());
          return report ? Answer{200, billing::to_json(*report)} : no_payments(report.error());
        });
    write(call.response, answer ? *answer
                                : refuse(504, "Not done in time",
                                         "the gateway is still at it; /v1/payments shows how far"));
  });
}

void Api::serve_payments() {
  serve_card_events();
  serve_paying();
  serve("listPayments", [this](const Call& call) {
    const std::string client = call.caller.role == Role::client
                                   ? call.caller.client
                                   : call.request.get_param_value("client");
    const auto ledger = target_.books.connect();
    if (!ledger) return write(call.response, no_payments(ledger.error()));
    const auto all =
        ledger->payments({.account = client.empty() ? "" : target_.books.client_account(client),
                          .issuer = {},
                          .statement = call.request.get_param_value("statement")});
    if (!all) return write(call.response, no_payments(all.error().text));
    json list = json::array();
    for (const billing::Payment& p : *all) list.push_back(billing::to_json(p));
    write(call.response, {200, list});
  });
  serve("showPayment", [this](const Call& call) {
    const auto ledger = target_.books.connect();
    if (!ledger) return write(call.response, no_payments(ledger.error()));
    const auto found = ledger->payments({.key = call.word(1)});
    if (!found) return write(call.response, no_payments(found.error().text));
    const bool is_theirs =
        !found->empty() &&
        (call.caller.role != Role::client ||
         found->front().account == target_.books.client_account(call.caller.client));
    if (!is_theirs) return write(call.response, unknown_payment(call.word(1)));
    write(call.response, {200, billing::to_json(found->front())});
  });
}

}  // namespace anabranch::control
