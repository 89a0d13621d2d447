// SPDX-License-Identifier: BSD-3-Clause
#include "billing/tax.h"

namespace anabranch::billing {
namespace {

constexpr int kTaxDecimals = 4;

}  // namespace

std::optional<Tax> read_tax(const nlohmann::json& document, const std::string& at,
                            DocumentErrors& errors) {
  const size_t before = errors.size();
  DocumentReader r(document, at, "{\"category\": \"S\", \"percent\": \"19\"}",
                   {"category", "percent", "reason"}, errors);
  const auto code = r.choice("category", std::span(kTaxCodes).subspan(1));
  const auto percent = r.decimal("percent", kTaxDecimals, "a percentage such as \"19\"", false);
  Tax tax{.reason = r.text("reason", "why no tax is due, in words", false)};
  if (!code) return std::nullopt;
  tax.category = static_cast<TaxCategory>(*code + 1);
  tax.percent = percent.value_or(Amount());
  const std::string category = "category " + std::string(tax.code());
  const bool charged = tax.category == TaxCategory::standard;
  if (charged && !r.has("percent"))
    r.wrong("percent", "is missing; category S has a percentage above zero");
  else if (charged && percent &&
           (*percent == Amount() || *percent > Amount::from_attos(100 * kAttosPerUnit)))
    r.wrong("percent", "\"" + to_text(*percent, 0) +
                           "\"; category S has a percentage above 0, of at most 100");
  else if (!charged && percent && *percent != Amount())
    r.wrong("percent", "\"" + to_text(*percent, 0) + "\"; " + category + " has none, or 0");
  const bool explained = !charged && tax.category != TaxCategory::zero_rated;
  if (explained && !r.has("reason"))
    r.wrong("reason", "is missing; " + category + " says why no tax is due");
  else if (!explained && r.has("reason"))
    r.wrong("reason", category + " has no reason");
  if (errors.size() != before) return std::nullopt;
  return tax;
}

}  // namespace anabranch::billing
