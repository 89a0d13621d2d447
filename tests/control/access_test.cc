// SPDX-License-Identifier: BSD-3-Clause
// Tokens: how they are read, and what each role may do.
#include "control/access.h"

#include <gtest/gtest.h>

#include <set>

#include "control/routes.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

json token_document() {
  return {{"id", "shop"},
          {"role", "client"},
          {"client", "acme"},
          {"sha256", hash_of_secret("open sesame")}};
}

std::string mistake_in(const json& document) {
  const auto token = parse_token(document);
  return token ? "" : token.error().front().pointer + ": " + token.error().front().detail;
}

TEST(Tokens, AreReadAsWritten) {
  const auto token = parse_token(token_document());
  ASSERT_TRUE(token) << token.error().front().detail;
  EXPECT_EQ(token->id, "shop");
  EXPECT_EQ(token->role, Role::client);
  EXPECT_EQ(token->client, "acme");
  EXPECT_FALSE(token->revoked);
}

TEST(Tokens, NameTheMistake) {
  const auto with = [](const char* field, const json& value) {
    json document = token_document();
    document[field] = value;
    return mistake_in(document);
  };
  EXPECT_EQ(with("role", "king"),
            "/role: \"king\"; expected \"operator\", \"auditor\" or \"client\"");
  EXPECT_EQ(with("role", "auditor"),
            "/client: is given; expected only where the role is \"client\"");
  EXPECT_EQ(with("sha256", "abc"),
            "/sha256: \"abc\"; expected 64 hexadecimal digits, as `anabranch token` writes them");
  EXPECT_NE(with("secret", "open sesame"), "");
  json of_nobody = token_document();
  of_nobody.erase("client");
  EXPECT_EQ(mistake_in(of_nobody), "/client: is missing; expected whose token it is");
}

TEST(Secrets, AreLongAndNeverTheSame) {
  std::set<std::string> secrets;
  for (int i = 0; i < 1000; ++i) secrets.insert(make_secret());
  EXPECT_EQ(secrets.size(), 1000u);
  EXPECT_GE(secrets.begin()->size(), 64u);
}

TEST(Secrets, AreFoundInTheHeaderOnly) {
  EXPECT_EQ(secret_in("Bearer abc"), "abc");
  EXPECT_EQ(secret_in("bearer abc"), "abc");
  EXPECT_EQ(secret_in("Bearer "), std::nullopt);
  EXPECT_EQ(secret_in("Basic abc"), std::nullopt);
  EXPECT_EQ(secret_in(""), std::nullopt);
}

// FIPS 180-4, example of one block.
TEST(Secrets, AreHashedAsSha256) {
  EXPECT_EQ(hash_of_secret("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Operations, AreForWhomTheyAreFor) {
  for (const Operation& o : operations()) {
    EXPECT_TRUE(may_use(o, Role::operating)) << o.id;
    EXPECT_EQ(may_use(o, Role::client), o.audience == Audience::all) << o.id;
    EXPECT_FALSE(may_use(o, Role::auditing) && std::string(o.method) != "GET") << o.id;
  }
}

TEST(Operations, AreDescribedWithSchemasThatExist) {
  const json description = openapi("1.0");
  const json& schemas = description["components"]["schemas"];
  std::set<std::string> ids;
  for (const Operation& o : operations()) {
    EXPECT_TRUE(ids.insert(o.id).second) << o.id;
    EXPECT_TRUE(o.gives != nullptr && schemas.contains(o.gives)) << o.id;
    EXPECT_TRUE(o.takes == nullptr || schemas.contains(o.takes)) << o.id;
  }
}

}  // namespace
}  // namespace anabranch::control
