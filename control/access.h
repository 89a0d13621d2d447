// SPDX-License-Identifier: BSD-3-Clause
// Who may do what over the API: bearer tokens (RFC 6750), of which only the hash is stored.
//
// Until the first token is stored whoever reaches the API's address is its operator; from then on
// each request needs one, and a token that was revoked still counts as stored.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "control/documents.h"

namespace anabranch::control {

enum class Role : uint8_t {
  operating,  // "operator": everything
  auditing,   // "auditor": reads everything
  client,     // what is the client's own
};
const char* to_string(Role role);

// A document of the kind "tokens".
struct Token {
  std::string id;
  Role role = Role::client;
  std::string client;  // whose, where the role is client
  std::string sha256;  // of the secret, 64 hexadecimal digits
  bool revoked = false;
};
Parsed<Token> parse_token(const nlohmann::json& document);

// A new secret, 256 random bits: whoever has it is whom the token stands for.
std::string make_secret();
// As stored. Secrets are random, so that no salt and no slow hash is needed.
std::string hash_of_secret(std::string_view secret);
// From the header "Authorization: Bearer SECRET".
std::optional<std::string> secret_in(std::string_view authorization);

struct Caller {
  Role role = Role::operating;
  std::string client;
  bool is(const std::string& a_client) const { return role != Role::client || client == a_client; }
};

}  // namespace anabranch::control
