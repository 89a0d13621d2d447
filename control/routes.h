// SPDX-License-Identifier: BSD-3-Clause
// What the API consists of: each operation once, with who may use it and what it takes and gives.
// What is served and what /openapi.json says are both made from this.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "control/access.h"

namespace anabranch::control {

enum class Audience : uint8_t {
  all,      // clients too, as far as it is their own
  readers,  // operators and auditors
  operators,
  processor,  // of cards: whoever signs with its secret
};
const char* to_string(Audience audience);

struct Operation {
  const char* method;  // "GET"
  const char* path;    // "/v1/services/{id}"
  const char* id;      // for programs that are made from the description: "endService"
  const char* summary;
  Audience audience;
  const char* takes = nullptr;  // a schema's name; nullptr: no body
  const char* gives = nullptr;  // a schema's name
  int status = 200;
  const char* type = "application/json";  // of what it gives
  const char* header = nullptr;           // that it takes beside the usual
  bool may_go_on = false;                 // answered 202 while it is not done
};
// Auditors read only.
bool may_use(const Operation& operation, Role role);
const std::vector<Operation>& operations();
// nullptr: there is none.
const Operation* find_operation(const std::string& id);

// As the server matches it: "/v1/services/(\d{1,19})".
std::string pattern_of(const Operation& operation);

// OpenAPI 3.1.
nlohmann::json openapi(const std::string& version);

}  // namespace anabranch::control
