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

// Of either family, now with many zeros.
Ip any_ip(std::mt19937_64& random) {
  if (random() % 2 == 0) return Ip::v4(static_cast<uint32_t>(random()));
  const dataplane::Address high = random() % 4 == 0 ? 0 : random();
  const Ip ip{high << 64 | (random() % 4 == 0 ? 0 : random())};
  return ip.is_ipv4() ? Ip{1} : ip;
}

Prefix any_prefix(std::mt19937_64& random) {
  const Ip ip = any_ip(random);
  Prefix prefix{ip, static_cast<uint8_t>(random() % (ip.is_ipv4() ? 33 : 129))};
  prefix.address.value &= prefix.mask();
  return prefix;
}

TEST(Addresses, AreReadBackAsTheyAreWritten) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const Ip address = any_ip(random);
    EXPECT_EQ(parse_ip(to_string(address)), address) << to_string(address);
    EXPECT_EQ(parse_ipv4(to_string(address)).has_value(), address.is_ipv4());
    EXPECT_EQ(parse_ipv6(to_string(address)).has_value(), !address.is_ipv4());
    const Prefix prefix = any_prefix(random);
    if (prefix.is_ipv4() || !prefix.contains(Ip{dataplane::address_of(0)})) {
      EXPECT_EQ(parse_prefix(to_string(prefix)), prefix) << to_string(prefix);
    }
    const Endpoint endpoint{address, static_cast<uint16_t>(1 + random() % 65535)};
    EXPECT_EQ(parse_endpoint(to_string(endpoint)), endpoint) << to_string(endpoint);
  }
  EXPECT_EQ(to_string(*parse_prefix("2001:DB8::/32")), "2001:db8::/32");
  EXPECT_EQ(to_string(*parse_endpoint("[::1]:80")), "[::1]:80");
}

TEST(Addresses, ThatAreNoneAreRefused) {
  for (const std::string& wrong :
       {""s, "10.1.1"s, "10.1.1.256"s, "10.1.1.1 "s, ":::"s, "localhost"s, "10.1.1.1\0.example"s,
        "::1\0"s, "fe80::1%eth0"s, "1:2:3:4:5:6:7"s, "::ffff:10.1.1.1"s, "2001:db8::10000"s})
    EXPECT_FALSE(parse_ip(wrong)) << wrong;
  for (const std::string& wrong :
       {"10.1.1.0"s, "10.1.1.0/"s, "10.1.1.0/33"s, "10.1.1.0/-1"s, "10.1.1.1/24"s, "/24"s,
        "10.1.1.0/24/24"s, "10.1.1.0\0/24"s, "2001:db8::/129"s, "2001:db8::1/64"s, "::/"s})
    EXPECT_FALSE(parse_prefix(wrong)) << wrong;
  for (const std::string& wrong :
       {"10.1.1.1"s, "10.1.1.1:"s, "10.1.1.1:0"s, "10.1.1.1:65536"s, ":80"s, "10.1.1.1:80:80"s,
        "10.1.1.1:http"s, "::1:80"s, "[::1]"s, "[]:80"s, "[10.1.1.1]:80"s, "[::1]80"s})
    EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
}

TEST(Addresses, APrefixHoldsExactlyItsAddresses) {
  std::mt19937 random(2);
  for (int i = 0; i < 10000; ++i) {
    const auto length = static_cast<uint8_t>(random() % 33);
    const uint64_t size = uint64_t{1} << (32 - length);
    const auto first = static_cast<uint32_t>(random() / size * size);
    const Prefix prefix{Ip::v4(first), length};
    const auto any = static_cast<uint32_t>(random() % 2 == 0 ? random() : first + random() % size);
    EXPECT_EQ(prefix.contains(Ip::v4(any)), any >= first && any - first < size)
        << to_string(Ip::v4(any)) << " in " << to_string(prefix);
    const auto longer = static_cast<uint8_t>(length + random() % (33u - length));
    EXPECT_TRUE(prefix.contains(Prefix{Ip::v4(first), longer}));
    EXPECT_EQ((Prefix{Ip::v4(first), longer}).contains(prefix), longer == length);
  }
}

TEST(Addresses, APrefixHoldsNothingOfTheOtherFamily) {
  const Ip ipv4 = *parse_ip("10.1.1.1"), ipv6 = *parse_ip("2001:db8::1");
  EXPECT_TRUE(parse_prefix("0.0.0.0/0")->contains(ipv4));
  EXPECT_FALSE(parse_prefix("0.0.0.0/0")->contains(ipv6));
  EXPECT_TRUE(parse_prefix("::/0")->contains(ipv6));
  EXPECT_FALSE(parse_prefix("::/0")->contains(ipv4));
  EXPECT_FALSE(parse_prefix("::/0")->contains(*parse_prefix("0.0.0.0/0")));
}

TEST(Addresses, AnIpv6PrefixHoldsExactlyItsAddresses) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 10000; ++i) {
    Prefix prefix = any_prefix(random);
    const auto bits = static_cast<uint8_t>(prefix.is_ipv4() ? 32 : 128);
    // One bit changed: still within if it is one of the host's.
    const auto bit = static_cast<uint8_t>(random() % bits);
    const Ip other{prefix.address.value ^ dataplane::Address{1} << bit};
    if (other.is_ipv4() != prefix.is_ipv4()) continue;
    EXPECT_EQ(prefix.contains(other), bit < bits - prefix.length)
        << to_string(other) << " in " << to_string(prefix);
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
