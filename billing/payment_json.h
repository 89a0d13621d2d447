// SPDX-License-Identifier: BSD-3-Clause
// Payments as programs and people read them, of the command line, the API and the log alike.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "billing/payer.h"

namespace anabranch::billing {

nlohmann::json to_json(const Payment& payment);
nlohmann::json to_json(const PayingReport& report);
// "payment 2026-000017-… of statement 2026-000017 for client:acme".
std::string name_of(const Payment& payment);
// "payment 2026-000017-… of statement 2026-000017 for client:acme: failed, …".
std::string in_words(const Payment& payment);
// What moved, what is disputed.
std::vector<std::string> in_words(const PayingReport& report);

}  // namespace anabranch::billing
