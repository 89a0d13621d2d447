// SPDX-License-Identifier: BSD-3-Clause
// Addresses, prefixes, rates and words as people write them.
#include <gtest/gtest.h>

#include <random>

#include "control/config.h"
#include "control/documents.h"
#include "control/suggest.h"

namespace anabranch::control {
namespace {

using namespace std::string_literals;

TEST(Addresses, AreReadBackAsTheyAreWritten) {
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    const Ipv4 address{static_cast<uint32_t>(random())};
    EXPECT_EQ(parse_ipv4(to_string(address)), address);
    const auto length = static_cast<uint8_t>(random() % 33);
    const Prefix prefix{{length == 0 ? 0 : address.value & UINT32_MAX << (32 - length)}, length};
    EXPECT_EQ(parse_prefix(to_string(prefix)), prefix);
    const Endpoint endpoint{address, static_cast<uint16_t>(1 + random() % 65535)};
    EXPECT_EQ(parse_endpoint(to_string(endpoint)), endpoint);
  }
}

TEST(Addresses, ThatAreNoneAreRefused) {
  for (const std::string& wrong :
       {""s, "10.1.1"s, "10.1.1.256"s, "10.1.1.1 "s, "::1"s, "localhost"s, "10.1.1.1\0.example"s})
    EXPECT_FALSE(parse_ipv4(wrong)) << wrong;
  for (const std::string& wrong : {"10.1.1.0"s, "10.1.1.0/"s, "10.1.1.0/33"s, "10.1.1.0/-1"s,
                                   "10.1.1.1/24"s, "/24"s, "10.1.1.0/24/24"s, "10.1.1.0\0/24"s})
    EXPECT_FALSE(parse_prefix(wrong)) << wrong;
  for (const std::string& wrong : {"10.1.1.1"s, "10.1.1.1:"s, "10.1.1.1:0"s, "10.1.1.1:65536"s,
                                   ":80"s, "10.1.1.1:80:80"s, "10.1.1.1:http"s})
    EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
}

TEST(Addresses, APrefixHoldsExactlyItsAddresses) {
  std::mt19937 random(2);
  for (int i = 0; i < 10000; ++i) {
    const auto length = static_cast<uint8_t>(random() % 33);
    const uint64_t size = uint64_t{1} << (32 - length);
    const auto first = static_cast<uint32_t>(random() / size * size);
    const Prefix prefix{{first}, length};
    const Ipv4 any{static_cast<uint32_t>(random() % 2 == 0 ? random() : first + random() % size)};
    EXPECT_EQ(prefix.contains(any), any.value >= first && any.value - first < size)
        << to_string(any) << " in " << to_string(prefix);
    const auto longer = static_cast<uint8_t>(length + random() % (33u - length));
    EXPECT_TRUE(prefix.contains(Prefix{{first}, longer}));
    EXPECT_EQ((Prefix{{first}, longer}).contains(prefix), longer == length);
  }
}

TEST(Rates, AreReadInEveryUnit) {
  EXPECT_EQ(parse_rate("100 Mbit/s"), 100'000'000u);
  EXPECT_EQ(parse_rate("2.5Gbit/s"), 2'500'000'000u);
  EXPECT_EQ(parse_rate("800 kbit/s"), 800'000u);
  EXPECT_EQ(parse_rate("64000 bit/s"), 64'000u);
  for (const char* wrong :
       {"", "100", "Mbit/s", "100 MBit/s", "-1 Mbit/s", "0 Mbit/s", "nan Mbit/s", "inf Mbit/s",
        "1e300 Gbit/s", "1001 Gbit/s", "0.4 bit/s", "1 Mbit/s "})
    EXPECT_FALSE(parse_rate(wrong)) << wrong;
}

TEST(Rates, AreReadBackAsTheyAreShown) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 10000; ++i) {
    const uint64_t rate = 1 + random() % (uint64_t{1} << (1 + random() % 39));
    EXPECT_EQ(parse_rate(rate_text(rate)), rate) << rate_text(rate);
  }
}

TEST(Suggestions, NameTheNearestKnownWordWhenOneIsNear) {
  const std::vector<std::string> known{"name", "provider", "network", "rate_up", "rate_down"};
  EXPECT_EQ(suggestion("rate-up", known), "; did you mean \"rate_up\"?");
  EXPECT_EQ(suggestion("netwrok", known), "; did you mean \"network\"?");
  EXPECT_EQ(suggestion("colour", known), "");
  EXPECT_EQ(suggestion("name", {}), "");
}

// Levenshtein's definition, without its table.
size_t distance_by_definition(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a.size() + b.size();
  return std::min({distance_by_definition(a.substr(1), b) + 1,
                   distance_by_definition(a, b.substr(1)) + 1,
                   distance_by_definition(a.substr(1), b.substr(1)) + (a[0] == b[0] ? 0 : 1)});
}

TEST(Suggestions, CountEditsAsTheDefinitionDoes) {
  std::mt19937 random(4);
  const auto word = [&] {
    std::string text(random() % 6, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int i = 0; i < 2000; ++i) {
    const std::string a = word(), b = word();
    EXPECT_EQ(edit_distance(a, b), distance_by_definition(a, b)) << a << " " << b;
  }
}

}  // namespace
}  // namespace anabranch::control
