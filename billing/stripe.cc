// SPDX-License-Identifier: BSD-3-Clause
#include "billing/stripe.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr const char* kApiVersion = "2020-08-27";
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kTimeMaxS = 4'000'000'000;
constexpr size_t kAnswerOctets = 4u << 20;
constexpr int kPagesMax = 50;  // of a hundred each

// Declines that say nothing about tomorrow; all others are for the card's owner to mend
// (docs.stripe.com/declines/codes).
constexpr std::array<std::string_view, 8> kPassing{
    "insufficient_funds",  "processing_error",
    "try_again_later",     "issuer_not_available",
    "reenter_transaction", "card_velocity_exceeded",
    "approve_with_id",     "withdrawal_count_limit_exceeded"};

// States of disputes that took nothing, or of which what was taken is to come back.
constexpr std::array<std::string_view, 4> kWon{"won", "warning_closed", "prevented",
                                               "charge_refunded"};

bool is_loopback(std::string_view url) {
  return url.starts_with("http://127.0.0.1:") || url.starts_with("http://[::1]:");
}

std::string escaped(CURL* curl, const std::string& text) {
  char* made = curl_easy_escape(curl, text.data(), static_cast<int>(text.size()));
  std::string copy(made == nullptr ? "" : made);
  curl_free(made);
  return copy;
}

std::string form_of(CURL* curl, std::initializer_list<std::pair<std::string, std::string>> fields) {
  std::string form;
  for (const auto& [name, value] : fields) {
    if (!form.empty()) form += '&';
    form += escaped(curl, name) + "=" + escaped(curl, value);
  }
  return form;
}

// Of the currency's smallest coin.
Int128 attos_a_coin(const std::string& currency) {
  Int128 attos = kAttosPerUnit;
  for (int i = minor_digits(currency).value_or(2); i > 0; --i) attos /= 10;
  return attos;
}

std::string coins(Amount amount, const std::string& currency) {
  return std::to_string(static_cast<int64_t>(amount.attos() / attos_a_coin(currency)));
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string in_metadata(const char* name) {
  return std::string("metadata[") + name + "]";
}

std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const json& object_in(const json& object, const char* name) {
  static const json kNone = json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : kNone;
}

const json& list_in(const json& object, const char* name) {
  static const json kNoList = json::array();
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : kNoList;
}

// Since 1970; 0: it does not say.
int64_t seconds_in(const json& object, const char* name) {
  const auto found = object.find(name);
  const bool is_told = found != object.end() && found->is_number_unsigned();
  return is_told ? static_cast<int64_t>(std::min(found->get<uint64_t>(), kTimeMaxS)) : 0;
}

Amount amount_in(const json& object, const char* name, const std::string& currency) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return {};
  return Amount::from_attos(Int128{found->get<int64_t>()} * attos_a_coin(currency));
}

// Why, in the bank's word where it said one, else in the processor's.
std::string code_in(const json& error) {
  const std::string code = text_in(error, "decline_code");
  return code.empty() ? text_in(error, "code") : code;
}

void decline(CardAnswer& a) {
  a.later = std::find(kPassing.begin(), kPassing.end(), a.code) != kPassing.end();
  a.state = a.later ? PaymentState::failed : PaymentState::requires_customer;
  a.words = a.code.empty() ? "the card's owner must act" : "the card was declined: " + a.code;
}

CardAnswer unknown(std::string words) {
  return {.state = PaymentState::unknown, .words = std::move(words)};
}

CardAnswer not_told(int status, const std::string& failure) {
  return unknown(status == 0 ? "the processor " + failure
                             : fmt::format("the processor answered {} when asked for it", status));
}

size_t take(char* data, size_t, size_t octets, void* into) {
  std::string& body = *static_cast<std::string*>(into);
  if (body.size() + octets > kAnswerOctets) return CURL_WRITEFUNC_ERROR;
  body.append(data, octets);
  return octets;
}

size_t take_header(char* data, size_t, size_t octets, void* into) {
  constexpr std::string_view kName = "stripe-should-retry:";
  const std::string line = lower(std::string(data, octets));
  if (line.starts_with(kName)) {
    std::string value = line.substr(kName.size());
    std::erase_if(value, [](unsigned char c) { return c <= ' '; });
    *static_cast<std::string*>(into) = value;
  }
  return octets;
}

}  // namespace

tl::expected<std::unique_ptr<StripeProcessor>, std::string> StripeProcessor::make(
    StripeOptions options) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) return tl::unexpected(std::string("libcurl cannot be used"));
  if (!options.url.starts_with("https://") && !is_loopback(options.url))
    return tl::unexpected("\"" + options.url + "\": expected an address that begins with https://");
  if (options.url.ends_with('/'))
    return tl::unexpected("\"" + options.url + "\": expected no slash at its end");
  if (options.secret_key.empty())
    return tl::unexpected(std::string("the processor's secret key is empty"));
  return std::unique_ptr<StripeProcessor>(new StripeProcessor(std::move(options)));
}

StripeProcessor::StripeProcessor(StripeOptions options)
    : options_(std::move(options)), curl_(curl_easy_init()), jitter_(std::random_device{}()) {
  if (curl_ == nullptr) std::abort();
}

StripeProcessor::~StripeProcessor() {
  curl_easy_cleanup(curl_);
}

StripeProcessor::Reply StripeProcessor::once(const Call& call) {
  CURL* curl = curl_;
  Reply reply;
  char error[CURL_ERROR_SIZE] = {};
  curl_easy_reset(curl);
  const auto set = [&](CURLoption option, auto value) {
    // Only an option that libcurl was built without, or no memory: neither may be passed over.
    if (curl_easy_setopt(curl, option, value) != CURLE_OK) std::abort();
  };
  set(CURLOPT_URL, (options_.url + call.path).c_str());
  set(CURLOPT_PROTOCOLS_STR, is_loopback(options_.url) ? "http" : "https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_ERRORBUFFER, error);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.deadline.count()));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
  set(CURLOPT_WRITEFUNCTION, &take);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&reply.body));
  set(CURLOPT_HEADERFUNCTION, &take_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&reply.should_retry));
  set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
  set(CURLOPT_XOAUTH2_BEARER, options_.secret_key.c_str());
  set(CURLOPT_CUSTOMREQUEST, call.method);
  curl_slist* headers = curl_slist_append(nullptr, "Expect:");
  headers = curl_slist_append(headers, fmt::format("Stripe-Version: {}", kApiVersion).c_str());
  if (!call.key.empty())
    headers = curl_slist_append(headers, ("Idempotency-Key: " + call.key).c_str());
  if (!call.form.empty()) set(CURLOPT_POSTFIELDS, call.form.c_str());
  set(CURLOPT_HTTPHEADER, headers);
  const CURLcode code = curl_easy_perform(curl);
  curl_slist_free_all(headers);
  long status = 0, octets = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &octets);
  reply.sent = octets > 0;
  if (code == CURLE_OK)
    reply.status = static_cast<int>(status);
  else
    reply.failure =
        std::string("was not reached: ") + (error[0] != '\0' ? error : curl_easy_strerror(code));
  return reply;
}

StripeProcessor::Reply StripeProcessor::call(const Call& call, bool& done) {
  auto pause = options_.pause;
  for (int left = options_.tries;; --left) {
    Reply reply = once(call);
    const bool is_busy = reply.status == 409 || reply.status == 429;
    const bool is_broken = reply.status == 0 || reply.status >= 500;
    done = done || (is_broken && reply.sent) || reply.status == 409;
    const bool again =
        reply.should_retry == "true" || (reply.should_retry != "false" && (is_busy || is_broken));
    if (!again || left <= 1) return reply;
    std::uniform_real_distribution<double> vary(0.5, 1.5);
    std::this_thread::sleep_for(pause * vary(jitter_));
    pause *= 2;
  }
}

// What succeeded, or is on its way, as the processor shows it.
CardAnswer StripeProcessor::read(const json& object, const CardCharge& charge) {
  CardAnswer a{.id = text_in(object, "id")};
  const json& metadata = object_in(object, "metadata");
  if (a.id.empty() || lower(text_in(object, "currency")) != lower(charge.currency) ||
      amount_in(object, "amount", charge.currency) != charge.amount ||
      text_in(metadata, kKeyInMetadata) != charge.key) {
    return unknown("the processor answered of another payment than " + charge.key);
  }
  const std::string status = text_in(object, "status");
  a.code = is_intents() ? code_in(object_in(object, "last_payment_error"))
                        : text_in(object, "failure_code");
  if (status == "succeeded") {
    a.state = PaymentState::succeeded;
  } else if (status == "processing" || status == "pending") {
    a.state = PaymentState::pending;
  } else if (status == "canceled" && a.code.empty()) {
    a.state = PaymentState::failed;
    a.words = "it was canceled at the processor";
  } else if (status == "canceled" || status == "failed") {
    decline(a);
  } else if (status.starts_with("requires_")) {
    decline(a);
    return cancelled(std::move(a));
  } else {
    return unknown("the processor answered with the status \"" + status + "\"");
  }
  return a;
}

// What the card's owner could still confirm, by itself, must not be paid beside another try.
CardAnswer StripeProcessor::cancelled(CardAnswer declined) {
  bool done = true;
  if (declined.id.empty()) return unknown(declined.words + "; it is not known by what id");
  const Reply reply =
      call({"POST", collection() + "/" + escaped(curl_, declined.id) + "/cancel", "", ""}, done);
  if (reply.status >= 200 && reply.status < 300) return declined;
  return {.state = PaymentState::unknown,
          .id = declined.id,
          .words = declined.words + "; it could not be canceled"};
}

CardAnswer StripeProcessor::answer_of(const Reply& reply, bool maybe_done,
                                      const CardCharge* charge) {
  if (reply.status == 0) {
    return maybe_done ? unknown("the processor " + reply.failure)
                      : CardAnswer{.state = PaymentState::pending,
                                   .words = "the processor " + reply.failure,
                                   .absent = true};
  }
  const json body = json::parse(reply.body, nullptr, false);
  if (!body.is_object())
    return unknown(fmt::format("the processor answered {} and no JSON", reply.status));
  if (reply.status >= 200 && reply.status < 300)
    return charge == nullptr ? CardAnswer{} : read(body, *charge);
  const json& error = object_in(body, "error");
  const std::string type = text_in(error, "type"), code = text_in(error, "code");
  CardAnswer a;
  a.code = code_in(error);
  a.id =
      is_intents() ? text_in(object_in(error, "payment_intent"), "id") : text_in(error, "charge");
  a.words =
      fmt::format("the processor answered {}{}", reply.status, a.code.empty() ? "" : ": " + a.code);
  if (reply.status == 402 && type == "card_error") {
    decline(a);
    return is_intents() ? cancelled(std::move(a)) : a;
  }
  if (maybe_done || reply.status >= 500 || reply.status == 409 || type == "idempotency_error") {
    a.state = PaymentState::unknown;
    return a;
  }
  if (code == "resource_missing") {  // the tokens are of no card any more
    a.state = PaymentState::requires_customer;
    a.words = "the processor does not know the card: " + text_in(error, "message");
    return a;
  }
  a.state = PaymentState::pending;  // not taken, for it was we who were wrong, or too fast
  a.absent = true;
  return a;
}

CardAnswer StripeProcessor::charge(const CardCharge& c) {
  const std::string amount = coins(c.amount, c.currency), currency = lower(c.currency);
  const std::string form = is_intents()
                               ? form_of(curl_, {{"amount", amount},
                                                 {"currency", currency},
                                                 {"customer", c.customer},
                                                 {"payment_method", c.method},
                                                 {"off_session", "true"},
                                                 {"confirm", "true"},
                                                 {"description", c.description},
                                                 {in_metadata(kStatementInMetadata), c.statement},
                                                 {in_metadata(kAccountInMetadata), c.account},
                                                 {in_metadata(kKeyInMetadata), c.key}})
                               : form_of(curl_, {{"amount", amount},
                                                 {"currency", currency},
                                                 {"customer", c.customer},
                                                 {"source", c.method},
                                                 {"description", c.description},
                                                 {in_metadata(kStatementInMetadata), c.statement},
                                                 {in_metadata(kAccountInMetadata), c.account},
                                                 {in_metadata(kKeyInMetadata), c.key}});
  bool done = false;
  const Reply reply = call({"POST", collection(), form, c.key}, done);
  return answer_of(reply, done, &c);
}

CardAnswer StripeProcessor::find(const CardCharge& charge, const std::string& id) {
  if (id.empty()) return find_by_key(charge);
  bool done = true;
  const Reply reply = call({"GET", collection() + "/" + escaped(curl_, id), "", ""}, done);
  if (reply.status >= 200 && reply.status < 300) return answer_of(reply, done, &charge);
  return not_told(reply.status, reply.failure);
}

tl::expected<void, CardAnswer> StripeProcessor::each(const std::string& list, const Take& take) {
  std::string after;
  for (int page = 0; page < kPagesMax; ++page) {
    std::string path = list + "&limit=100";
    if (!after.empty()) path += "&starting_after=" + escaped(curl_, after);
    bool done = true;
    const Reply reply = call({"GET", path, "", ""}, done);
    const json body = json::parse(reply.body, nullptr, false);
    if (reply.status != 200 || !body.is_object() || !body.contains("data") ||
        !body.at("data").is_array()) {
      CardAnswer answer = not_told(reply.status, reply.failure);
      answer.absent = reply.status == 404;
      return tl::unexpected(answer);
    }
    for (const json& object : body.at("data")) {
      if (!object.is_object()) continue;
      after = text_in(object, "id");
      if (take(object)) return {};
    }
    if (!body.value("has_more", false) || after.empty()) return {};
  }
  return tl::unexpected(unknown("the processor has too many of them to look through"));
}

CardAnswer StripeProcessor::find_by_key(const CardCharge& charge) {
  CardAnswer found{.state = PaymentState::pending, .absent = true};
  const auto looked =
      each(collection() + "?customer=" + escaped(curl_, charge.customer), [&](const json& object) {
        if (text_in(object_in(object, "metadata"), kKeyInMetadata) != charge.key) return false;
        found = read(object, charge);
        return true;
      });
  return looked ? found : looked.error();
}

// What failed, or was given up, is of no interest.
CardProcessor::Told<std::vector<EarlierCharge>> StripeProcessor::earlier(const CardCharge& charge) {
  std::vector<EarlierCharge> all;
  const auto looked =
      each(collection() + "?customer=" + escaped(curl_, charge.customer), [&](const json& object) {
        const json& metadata = object_in(object, "metadata");
        const std::string key = text_in(metadata, kKeyInMetadata);
        const std::string status = text_in(object, "status");
        const bool is_open = status == "processing" || status == "pending";
        const bool is_theirs = !key.empty() && key != charge.key &&
                               text_in(metadata, kStatementInMetadata) == charge.statement &&
                               text_in(metadata, kAccountInMetadata) == charge.account &&
                               lower(text_in(object, "currency")) == lower(charge.currency);
        if (is_theirs && (status == "succeeded" || is_open)) {
          all.push_back(
              {.key = key,
               .amount = amount_in(object, "amount", charge.currency),
               .made_ns = seconds_in(object, "created") * kSecondNs,
               .answer = {.state = is_open ? PaymentState::pending : PaymentState::succeeded,
                          .id = text_in(object, "id")}});
        }
        return false;
      });
  if (!looked) return tl::unexpected(looked.error().words);
  return all;
}

CardAnswer StripeProcessor::refund(const std::string& id, const std::string& key, Amount amount,
                                   const std::string& currency) {
  const std::string form = form_of(curl_, {{is_intents() ? "payment_intent" : "charge", id},
                                           {"amount", coins(amount, currency)},
                                           {in_metadata(kKeyInMetadata), key}});
  bool done = false;
  const Reply reply = call({"POST", "/v1/refunds", form, key}, done);
  if (reply.status < 200 || reply.status >= 300) {
    CardAnswer a = answer_of(reply, done, nullptr);
    if (a.state == PaymentState::pending && reply.status >= 400 && reply.status < 429)
      a.state = PaymentState::failed;  // such as more than there is left
    return a;
  }
  const json body = json::parse(reply.body, nullptr, false);
  if (!body.is_object() || amount_in(body, "amount", currency) != amount)
    return unknown("the processor answered of another refund than " + key);
  const std::string status = text_in(body, "status");
  CardAnswer a{.state = PaymentState::succeeded, .id = text_in(body, "id")};
  if (status == "failed" || status == "canceled") a.state = PaymentState::failed;
  return a;
}

CardProcessor::Told<std::vector<CardRefund>> StripeProcessor::refunds(const std::string& id,
                                                                      const std::string& currency) {
  std::vector<CardRefund> all;
  std::string wrong;
  const auto looked = each(
      fmt::format("/v1/refunds?{}={}", of_payment(), escaped(curl_, id)), [&](const json& object) {
        const std::string status = text_in(object, "status");
        all.push_back({.id = text_in(object, "id"),
                       .key = text_in(object_in(object, "metadata"), kKeyInMetadata),
                       .amount = amount_in(object, "amount", currency),
                       .is_void = status == "failed" || status == "canceled"});
        const bool is_right = text_in(object, of_payment()) == id && !all.back().id.empty() &&
                              lower(text_in(object, "currency")) == lower(currency);
        if (!is_right) wrong = all.back().id;
        return !is_right;
      });
  if (!looked) return tl::unexpected(looked.error().words);
  if (!wrong.empty()) return tl::unexpected("the processor answered of another refund: " + wrong);
  return all;
}

// Inquiries ("warning_…") take nothing, and end as if they were won.
CardDispute StripeProcessor::read_dispute(const json& object) {
  CardDispute d{.id = text_in(object, "id"), .reason = text_in(object, "reason")};
  d.currency = upper(text_in(object, "currency"));
  d.amount = amount_in(object, "amount", d.currency);
  const std::string status = text_in(object, "status");
  if (status == "lost") d.state = DisputeState::lost;
  if (std::find(kWon.begin(), kWon.end(), status) != kWon.end()) d.state = DisputeState::won;
  Amount given;
  for (const json& move : list_in(object, "balance_transactions")) {
    if (!move.is_object()) continue;
    const std::string currency = upper(text_in(move, "currency"));
    d.moves.push_back({.id = text_in(move, "id"),
                       .currency = currency,
                       .amount = amount_in(move, "amount", currency),
                       .fee = amount_in(move, "fee", currency)});
    given += d.moves.back().amount;
  }
  // What was taken comes back some time after it is won. Who does not say what it took has taken it
  // when it is lost.
  if (d.state == DisputeState::won && given < Amount()) d.state = DisputeState::open;
  if (d.state == DisputeState::lost && d.moves.empty())
    d.moves.push_back({.id = "lost", .currency = d.currency, .amount = -d.amount, .fee = {}});
  return d;
}

// A processor that knows of no disputes has none.
CardProcessor::Told<std::vector<CardDispute>> StripeProcessor::disputes(const std::string& id) {
  std::vector<CardDispute> all;
  std::string wrong;
  const auto looked = each(
      fmt::format("/v1/disputes?{}={}", of_payment(), escaped(curl_, id)), [&](const json& object) {
        all.push_back(read_dispute(object));
        const bool is_right = text_in(object, of_payment()) == id && !all.back().id.empty() &&
                              minor_digits(all.back().currency).has_value();
        if (!is_right) wrong = all.back().id;
        return !is_right;
      });
  if (!looked && looked.error().absent) return all;
  if (!looked) return tl::unexpected(looked.error().words);
  if (!wrong.empty()) return tl::unexpected("the processor answered of another dispute: " + wrong);
  return all;
}

CardProcessor::Told<std::set<std::string>> StripeProcessor::followed_since(int64_t since_ns) {
  std::set<std::string> ids;
  for (const char* list : {"/v1/refunds", "/v1/disputes"}) {
    const auto looked = each(fmt::format("{}?created[gte]={}", list, since_ns / kSecondNs),
                             [&](const json& object) {
                               ids.insert(text_in(object, of_payment()));
                               return false;
                             });
    if (!looked && !looked.error().absent) return tl::unexpected(looked.error().words);
  }
  ids.erase("");
  return ids;
}

}  // namespace anabranch::billing
