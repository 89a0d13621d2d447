// SPDX-License-Identifier: BSD-3-Clause
// Exchange rates, as dated documents:
//
//   {"id": "ecb-2026-11-30", "date": "2026-11-30", "base": "EUR",
//    "rates": {"USD": "1.0834", "GBP": "0.8652"}}
//
// One EUR is 1.0834 USD then. Two currencies of one document are converted by way of its base,
// exactly.
#pragma once

#include <map>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/document_reader.h"
#include "billing/money.h"
#include "billing/period.h"

namespace anabranch::billing {

struct RateSheet {
  std::string id;
  CivilDay day;
  std::map<std::string, Amount> rates;  // of each currency, and the base's: 1
};
tl::expected<RateSheet, DocumentErrors> parse_rates(const nlohmann::json& document);

// So many of the one currency are so many of the other.
struct Conversion {
  std::string from, to;
  Amount of_from, of_to;
  std::string sheet;
  CivilDay day;
  bool operator==(const Conversion&) const = default;
};

class ExchangeRates {
 public:
  void add(RateSheet sheet);
  // By the newest document of that day or before that has both; of several of one day, by the last
  // in the order of their ids.
  tl::expected<Conversion, std::string> find(const std::string& from, const std::string& to,
                                             const CivilDay& day) const;

 private:
  std::map<std::pair<CivilDay, std::string>, RateSheet> sheets_;  // by day and id
};

}  // namespace anabranch::billing
