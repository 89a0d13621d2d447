// SPDX-License-Identifier: BSD-3-Clause
// How a client wants to be billed: the "billing" of a segmentation profile, and of an SLA, which
// wins where both speak. A request may ask for what both leave open.
//
//   "billing": {"statements": "by-provider", "provider_charges": "summarised", "currency": "EUR",
//               "cycle_day": 15, "zone": "Europe/Berlin", "delivery": ["html", "csv"],
//               "mail": ["pdf", "ubl"]}
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "billing/document_reader.h"
#include "billing/payment_terms.h"

namespace anabranch::billing {

// One statement over all providers, or one a provider.
enum class Statements : uint8_t { aggregated, by_provider };
inline constexpr std::array<std::string_view, 2> kStatementsNames{"aggregated", "by-provider"};

// How other providers' charges are presented: each line; a line for each provider and tax; or each
// line, on a statement of their own.
enum class ProviderCharges : uint8_t { itemised, summarised, separate };
inline constexpr std::array<std::string_view, 3> kProviderChargesNames{"itemised", "summarised",
                                                                       "separate"};

enum class Format : uint8_t { text, json, csv, html, pdf, ubl };
inline constexpr std::array<std::string_view, 6> kFormatNames{"text", "json", "csv",
                                                              "html", "pdf",  "ubl"};

// What is not said is left to others.
struct Preferences {
  std::optional<Statements> statements;
  std::optional<ProviderCharges> provider_charges;
  std::string currency;  // empty: the tariff's
  std::optional<unsigned> cycle_day;
  std::string zone;              // empty: the issuer's
  std::vector<Format> delivery;  // written to the folder of statements when one is issued
  std::vector<Format> mail;      // attached to a mail to the client's address; none: no mail
  std::optional<PaymentTerms> payment;

  // These, and what they leave open by `others`.
  Preferences over(const Preferences& others) const;
  // The first field in which a wish is for something else than these say; empty: it is within them.
  std::string against(const Preferences& wish) const;
  bool wants(Format format) const;
  bool operator==(const Preferences&) const = default;
};

// Mistakes go to `errors`, by their JSON pointers below `at`.
Preferences read_preferences(const nlohmann::json& document, const std::string& at,
                             DocumentErrors& errors);
// Of a request: all but the cycle and its zone, which are those of the client's account.
Preferences read_wish(const nlohmann::json& document, const std::string& at,
                      DocumentErrors& errors);
nlohmann::json to_json(const Preferences& preferences);

}  // namespace anabranch::billing
