// SPDX-License-Identifier: BSD-3-Clause
#include "billing/payment_terms.h"

#include <algorithm>

namespace anabranch::billing {
namespace {

constexpr size_t kRetriesMax = 10;
constexpr uint32_t kDaysMax = 365;
constexpr uint32_t kKbpsMin = 64, kKbpsMax = 1'000'000;
constexpr int kSumDecimals = 4;  // of the currency with the most

std::vector<uint32_t> read_days(DocumentReader& r) {
  std::vector<uint32_t> days;
  for (const nlohmann::json& day : r.list("retry_days", kRetriesMax, "days")) {
    const bool is_whole =
        day.is_number_unsigned() && day.get<uint64_t>() >= 1 && day.get<uint64_t>() <= kDaysMax;
    if (!is_whole || (!days.empty() && day.get<uint32_t>() <= days.back())) {
      r.wrong("retry_days",
              shown(day) + "; expected days from 1 to 365, each later than the one before");
      return {};
    }
    days.push_back(day.get<uint32_t>());
  }
  return days;
}

Amount read_sum(DocumentReader& r, const char* name, bool required) {
  const auto sum = r.decimal(name, kSumDecimals, "an amount such as \"20\"", required);
  if (sum && required && *sum == Amount()) r.wrong(name, "0; expected more than nothing");
  return sum.value_or(Amount());
}

// What goes with a way of charging is asked for with it, and refused with another.
void read_charging(DocumentReader& r, PaymentTerms& terms) {
  if (const auto i = r.choice("charge", kChargeWhenNames, false))
    terms.charge = static_cast<ChargeWhen>(*i);
  const bool at_threshold = terms.charge == ChargeWhen::threshold;
  const bool ahead = terms.charge == ChargeWhen::ahead;
  const auto only_with = [&](bool fits, const char* name, const char* with) {
    if (!fits && r.has(name)) r.wrong(name, std::string("says something with ") + with + " alone");
    return fits;
  };
  if (at_threshold && terms.by != PayBy::card)
    r.wrong("charge", "\"threshold\" is by card; expected \"by\": \"card\" with it");
  const bool by_card = ahead && terms.by == PayBy::card;
  if (only_with(at_threshold, "threshold", "\"charge\": \"threshold\""))
    terms.threshold = read_sum(r, "threshold", true);
  if (only_with(by_card, "top_up", "\"charge\": \"ahead\" by card"))
    terms.top_up = read_sum(r, "top_up", true);
  if (only_with(by_card, "floor", "\"charge\": \"ahead\" by card"))
    terms.floor = read_sum(r, "floor", false);
  if (only_with(ahead, "used_up", "\"charge\": \"ahead\"")) {
    if (const auto i = r.choice("used_up", kWhenUsedUpNames, false))
      terms.used_up = static_cast<WhenUsedUp>(*i);
  }
  if (!only_with(ahead, "slow_kbps", "\"charge\": \"ahead\"")) return;
  if (const auto kbps = r.whole("slow_kbps", kKbpsMin, kKbpsMax))
    terms.slow_kbps = static_cast<uint32_t>(*kbps);
}

}  // namespace

PaymentTerms read_payment_terms(const nlohmann::json& document, const std::string& at,
                                DocumentErrors& errors) {
  DocumentReader r(document, at, "terms of payment",
                   {"by", "due_days", "retry_days", "then", "restrict_kbps", "charge", "threshold",
                    "top_up", "floor", "used_up", "slow_kbps"},
                   errors);
  PaymentTerms terms;
  if (!document.is_object()) return terms;
  if (const auto i = r.choice("by", kPayByNames)) terms.by = static_cast<PayBy>(*i);
  if (const auto days = r.whole("due_days", 0, kDaysMax))
    terms.due_days = static_cast<uint32_t>(*days);
  if (r.has("retry_days")) terms.retry_days = read_days(r);
  if (const auto i = r.choice("then", kWhenOverdueNames, false))
    terms.then = static_cast<WhenOverdue>(*i);
  if (const auto kbps = r.whole("restrict_kbps", kKbpsMin, kKbpsMax))
    terms.restrict_kbps = static_cast<uint32_t>(*kbps);
  read_charging(r, terms);
  return terms;
}

PaymentTerms read_payment_wish(const nlohmann::json& document, const std::string& at,
                               DocumentErrors& errors) {
  DocumentReader r(document, at, "what a request may ask for of payment",
                   {"by", "charge", "threshold", "top_up", "floor", "used_up", "slow_kbps"},
                   errors);
  PaymentTerms wish;
  if (!document.is_object()) return wish;
  if (const auto i = r.choice("by", kPayByNames)) wish.by = static_cast<PayBy>(*i);
  read_charging(r, wish);
  return wish;
}

nlohmann::json to_json(const PaymentTerms& terms) {
  const PaymentTerms usual;
  nlohmann::json out{{"by", kPayByNames[static_cast<size_t>(terms.by)]}};
  const auto put = [&](const char* name, const auto& value, const auto& otherwise) {
    if (value != otherwise) out[name] = value;
  };
  put("due_days", terms.due_days, usual.due_days);
  put("retry_days", terms.retry_days, usual.retry_days);
  if (terms.then != usual.then) out["then"] = kWhenOverdueNames[static_cast<size_t>(terms.then)];
  put("restrict_kbps", terms.restrict_kbps, usual.restrict_kbps);
  if (terms.charge == usual.charge) return out;
  out["charge"] = kChargeWhenNames[static_cast<size_t>(terms.charge)];
  if (terms.charge == ChargeWhen::threshold) out["threshold"] = to_text(terms.threshold);
  if (terms.charge != ChargeWhen::ahead) return out;
  if (terms.by == PayBy::card) {
    out["top_up"] = to_text(terms.top_up);
    put("floor", to_text(terms.floor), to_text(usual.floor));
  }
  out["used_up"] = kWhenUsedUpNames[static_cast<size_t>(terms.used_up)];
  put("slow_kbps", terms.slow_kbps, usual.slow_kbps);
  return out;
}

}  // namespace anabranch::billing
