// SPDX-License-Identifier: BSD-3-Clause
// The VAT category of a charge, by EN 16931 (UNCL 5305), with its rate and the reason where none is
// due.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "billing/document_reader.h"
#include "billing/money.h"

namespace anabranch::billing {

enum class TaxCategory : uint8_t {
  unnamed,         // the tariff says nothing of taxes: none is added
  standard,        // S
  zero_rated,      // Z
  exempt,          // E
  reverse,         // AE: the buyer accounts for it
  out_of_scope,    // O
  exported,        // G
  intra_community  // K
};
inline constexpr std::array<std::string_view, 8> kTaxCodes{"", "S", "Z", "E", "AE", "O", "G", "K"};

struct Tax {
  TaxCategory category = TaxCategory::unnamed;
  Amount percent;  // "19" is 19: a decimal number, not money
  std::string reason;
  std::string_view code() const { return kTaxCodes[static_cast<size_t>(category)]; }
  auto operator<=>(const Tax&) const = default;
};

// {"category": "S", "percent": "19"} or {"category": "AE", "reason": "Reverse charge"}. EN 16931
// wants a percentage above zero with S and with no other, and a reason with all but S and Z.
std::optional<Tax> read_tax(const nlohmann::json& document, const std::string& at,
                            DocumentErrors& errors);

}  // namespace anabranch::billing
