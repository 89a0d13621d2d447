// SPDX-License-Identifier: BSD-3-Clause
#include "billing/payment_terms.h"

#include <algorithm>

namespace anabranch::billing {
namespace {

constexpr size_t kRetriesMax = 10;
constexpr uint32_t kDaysMax = 365;

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

}  // namespace

PaymentTerms read_payment_terms(const nlohmann::json& document, const std::string& at,
                                DocumentErrors& errors) {
  DocumentReader r(document, at, "terms of payment",
                   {"by", "due_days", "retry_days", "then", "restrict_kbps"}, errors);
  PaymentTerms terms;
  if (!document.is_object()) return terms;
  if (const auto i = r.choice("by", kPayByNames)) terms.by = static_cast<PayBy>(*i);
  if (const auto days = r.whole("due_days", 0, kDaysMax))
    terms.due_days = static_cast<uint32_t>(*days);
  if (r.has("retry_days")) terms.retry_days = read_days(r);
  if (const auto i = r.choice("then", kWhenOverdueNames, false))
    terms.then = static_cast<WhenOverdue>(*i);
  if (const auto kbps = r.whole("restrict_kbps", 64, 1'000'000))
    terms.restrict_kbps = static_cast<uint32_t>(*kbps);
  return terms;
}

nlohmann::json to_json(const PaymentTerms& terms) {
  return {{"by", kPayByNames[static_cast<size_t>(terms.by)]},
          {"due_days", terms.due_days},
          {"retry_days", terms.retry_days},
          {"then", kWhenOverdueNames[static_cast<size_t>(terms.then)]},
          {"restrict_kbps", terms.restrict_kbps}};
}

}  // namespace anabranch::billing
