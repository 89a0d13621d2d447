// SPDX-License-Identifier: BSD-3-Clause
#include "control/access.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "billing/sha256.h"
#include "control/json_reader.h"

namespace anabranch::control {
namespace {

constexpr std::array<std::pair<const char*, Role>, 3> kRoleNames{
    {{"operator", Role::operating}, {"auditor", Role::auditing}, {"client", Role::client}}};
constexpr const char* kRoles = "\"operator\", \"auditor\" or \"client\"";
constexpr const char* kHash = "64 hexadecimal digits, as `anabranch token` writes them";
constexpr size_t kHashDigits = 64;

std::optional<std::string> find_hash(const std::string& text) {
  const bool right =
      text.size() == kHashDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  return right ? std::optional(text) : std::nullopt;
}

}  // namespace

const char* to_string(Role role) {
  return kRoleNames[static_cast<size_t>(role)].first;
}

Parsed<Token> parse_token(const nlohmann::json& document) {
  FieldErrors errors;
  JsonReader r(document, "", errors);
  Token t;
  t.id = read_id(r, "id");
  t.role = r.parsed("role", kRoles, [](const std::string& text) {
              return by_name(kRoleNames, text);
            }).value_or(Role::client);
  if (r.has("client")) t.client = read_id(r, "client");
  t.sha256 = r.parsed("sha256", kHash, find_hash).value_or("");
  t.revoked = r.has("revoked") && r.boolean("revoked");
  if ((t.role == Role::client) == t.client.empty() && errors.empty())
    r.fail("client", t.client.empty() ? "is missing; expected whose token it is"
                                      : "is given; expected only where the role is \"client\"");
  r.finish();
  if (errors.empty()) return t;
  return tl::unexpected(std::move(errors));
}

std::string make_secret() {
  std::array<uint8_t, 32> random{};
  if (RAND_bytes(random.data(), random.size()) != 1) std::abort();
  return "anabranch-" + billing::hexadecimal(random);
}

std::string hash_of_secret(std::string_view secret) {
  return billing::sha256(secret);
}

std::optional<std::string> secret_in(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  const auto same = [](char a, char b) { return (a | 0x20) == b || a == b; };
  if (authorization.size() <= kScheme.size() ||
      !std::equal(kScheme.begin(), kScheme.end(), authorization.begin(),
                  [&](char expected, char given) { return same(given, expected); }))
    return std::nullopt;
  return std::string(authorization.substr(kScheme.size()));
}

}  // namespace anabranch::control
