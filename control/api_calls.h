// SPDX-License-Identifier: BSD-3-Clause
// What the files that serve the API share: a call, and how it is answered.
#pragma once

#include <httplib.h>

#include <optional>
#include <string>

#include "control/api.h"

namespace anabranch::control {

struct Api::Call {
  const httplib::Request& request;
  httplib::Response& response;
  Caller caller;
  std::string word(size_t n) const { return request.matches[n]; }
};

void write(httplib::Response& response, const Answer& answer);
// The body's JSON; nullopt: there is none that may be taken, and that is answered.
std::optional<nlohmann::json> parse_body(const httplib::Request& request,
                                         httplib::Response& response);

}  // namespace anabranch::control
