// SPDX-License-Identifier: BSD-3-Clause
// Who stands between a client and us, by the client's document: a reseller, who has a share of what
// the client is charged, each client's its own; and whoever pays the client's statements.
//
//   "reseller": {"id": "shopnet", "margin_percent": "12.5"},
//   "paid_by": "holding"
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "billing/document_reader.h"

namespace anabranch::billing {

inline constexpr std::array<std::string_view, 2> kRelationFields{"reseller", "paid_by"};

// Has that much of each statement's net; of less than nothing, too.
struct Reseller {
  std::string id;
  Amount margin_percent;
};

struct Relations {
  std::optional<Reseller> reseller;
  std::string paid_by;  // another client; empty: the client itself
};

// Each may be missing. All else of the document is someone else's to read.
Relations read_relations(const nlohmann::json& client, DocumentErrors& errors);

}  // namespace anabranch::billing
