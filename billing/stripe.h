// SPDX-License-Identifier: BSD-3-Clause
// Stripe's API v1 and what speaks as it does, in two dialects: payment intents (the default), or
// charges. Blocking, over libcurl.
//
// A server is whom its certificate says; plain HTTP is for loopback alone. What fails on the way is
// tried again under the same key, with a pause that grows and varies, as `stripe-should-retry` says
// where it says so. A payment that was not answered is looked for by its id, or among those of its
// customer by the key in its metadata. An answer that is not about this amount, currency and key
// counts as none.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include <nlohmann/json_fwd.hpp>
#include <tl/expected.hpp>

#include "billing/processor.h"

namespace anabranch::billing {

struct StripeOptions {
  enum class Dialect : uint8_t { payment_intents, charges } dialect = Dialect::payment_intents;
  std::string url = "https://api.stripe.com";  // without a slash at the end
  std::string secret_key;                      // "sk_…"
  std::string ca_file;                         // PEM, instead of the system's
  std::chrono::milliseconds deadline{20'000};  // of a call
  int tries = 3;
  std::chrono::milliseconds pause{500};  // before the second try, about; twice that before the next
};

class StripeProcessor : public CardProcessor {
 public:
  // The error: why nothing may be sent to that address.
  static tl::expected<std::unique_ptr<StripeProcessor>, std::string> make(StripeOptions options);
  ~StripeProcessor() override;

  CardAnswer charge(const CardCharge& charge) override;
  CardAnswer find(const CardCharge& charge, const std::string& id) override;
  Told<std::vector<EarlierCharge>> earlier(const CardCharge& charge) override;
  CardAnswer refund(const std::string& id, const std::string& key, Amount amount,
                    const std::string& currency) override;
  Told<std::vector<CardRefund>> refunds(const std::string& id,
                                        const std::string& currency) override;
  Told<std::vector<CardDispute>> disputes(const std::string& id) override;
  Told<std::set<std::string>> followed_since(int64_t since_ns) override;

 private:
  struct Reply {
    int status = 0;            // 0: no whole answer
    std::string body;          // …
    std::string failure;       // … or why not, as a sentence's end
    bool sent = false;         // some of the request may have arrived
    std::string should_retry;  // the header's value
  };
  struct Call {
    const char* method;
    std::string path, form, key;
  };

  explicit StripeProcessor(StripeOptions options);
  Reply once(const Call& call);
  // As often as it may help. `done` is set where one of the tries may have been carried out.
  Reply call(const Call& call, bool& done);
  CardAnswer answer_of(const Reply& reply, bool maybe_done, const CardCharge* charge);
  CardAnswer read(const nlohmann::json& object, const CardCharge& charge);
  CardAnswer cancelled(CardAnswer declined);
  static CardDispute read_dispute(const nlohmann::json& object);
  CardAnswer find_by_key(const CardCharge& charge);
  // Objects of a list, the newest first, until `take` has enough. The error: not told.
  using Take = std::function<bool(const nlohmann::json&)>;
  tl::expected<void, CardAnswer> each(const std::string& list, const Take& take);
  const char* of_payment() const { return is_intents() ? "payment_intent" : "charge"; }
  bool is_intents() const { return options_.dialect == StripeOptions::Dialect::payment_intents; }
  std::string collection() const { return is_intents() ? "/v1/payment_intents" : "/v1/charges"; }

  const StripeOptions options_;
  void* curl_;  // kept for its connection
  std::minstd_rand jitter_;
};

}  // namespace anabranch::billing
