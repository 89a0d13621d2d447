// SPDX-License-Identifier: BSD-3-Clause
// IPFIX messages, octet by octet as RFC 7011 has them.
#include "billing/ipfix.h"

#include <gtest/gtest.h>

#include <string>

namespace anabranch::billing {
namespace {

// "00 0a" and the like; spaces are for the reader.
std::string octets(const std::string& hex) {
  std::string result, digits;
  for (const char c : hex) {
    if (c != ' ') digits += c;
  }
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    result += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return result;
}

std::string shown(const std::string& octets) {
  std::string result;
  for (const char c : octets) {
    char two[4];
    std::snprintf(two, sizeof two, "%02x ", static_cast<unsigned char>(c));
    result += two;
  }
  return result;
}

void expect_octets(const std::string& is, const std::string& hex) {
  EXPECT_EQ(shown(is), shown(octets(hex)));
}

uint64_t number(const std::string& octets, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = at; i < at + count; ++i) value = value << 8 | static_cast<uint8_t>(octets[i]);
  return value;
}

FlowRecord ipv4_record() {
  FlowRecord record;
  record.family = FlowRecord::Family::ipv4;
  record.source = {10, 10, 0, 2};
  record.destination = {10, 20, 0, 3};
  record.source_port = 5000;
  record.destination_port = 443;
  record.protocol = 6;
  record.class_of_service = 0xb8;
  record.tcp_flags = 0x1b;
  record.octets = 123456789013;
  record.packets = 0x11223344;
  record.overhead_octets = 0x0a0b0c;
  record.start_ms = 0x018c01020304;
  record.end_ms = 0x018c01020fff;
  record.end = FlowEnd::active;
  record.direction = Direction::sent;
  record.path = 2;
  record.service = 7;
  record.client = "acme";
  record.uplink = "mobile";
  record.provider = "airmobile";
  return record;
}

FlowRecord ipv6_record() {
  FlowRecord record = ipv4_record();
  record.family = FlowRecord::Family::ipv6;
  record.source = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  record.destination = {0x20, 0x01, 0x0d, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};
  record.direction = Direction::received;
  record.kind = Kind::repair;
  record.end = FlowEnd::idle;
  return record;
}

FlowRecord rest_record() {
  FlowRecord record = ipv4_record();
  record.family = FlowRecord::Family::none;
  record.kind = Kind::copy;
  record.ip_version = 6;
  return record;
}

// What all records have behind their flow, of the records above.
const std::string kCounts =
    "0000001cbe991a15 0000000011223344"  // 123456789013 octets, packets
    "01 02"                              // egress; active timeout
    "00000000 00000002 0000000000000002 00000007"
    "06 6d6f62696c65"
    "0000000000000007 04 61636d65 09 6169726d6f62696c65"
    "00 00000000000a0b0c";

TEST(Ipfix, TemplatesAreAsTheStandardHasThem) {
  const std::string times = "0098 0008 0099 0008";
  const std::string transport = "0007 0002 000b 0002 0004 0001 0005 0001 0006 0002";
  const std::string counts =
      "0001 0008 0002 0008 003d 0001 0088 0001 000a 0004 000e 0004 008a 0008 00ea 0004 0052 ffff"
      "8001 0008 00007ed9 8002 ffff 00007ed9 8003 ffff 00007ed9 8004 0001 00007ed9"
      "8005 0008 00007ed9";
  IpfixMessage message = ipfix_templates({.observation_domain = 0x01020304});
  stamp(message, 0x65000000, 0x00000011);
  expect_octets(message.octets,
                "000a 0198 65000000 00000011 01020304"
                "0002 0148"
                "0100 0017" +
                    times + "0008 0004 000c 0004" + transport + counts + "0101 0017" + times +
                    "001b 0010 001c 0010" + transport + counts + "0102 0011" + times + "003c 0001" +
                    counts +
                    "0003 001e"
                    "0103 0005 0002 015a 0004 012f 0002 0153 0001 0158 0001 0155 ffff"
                    "0003 0022"
                    "0104 0006 0001 0090 0004 00a6 0008 00a7 0008 00a8 0008 0143 0008 0143 0008");
  EXPECT_EQ(message.data_records, 0u) << "templates are not counted";
}

TEST(Ipfix, AnotherEnterpriseHasOurElements) {
  const auto message = ipfix_templates({.enterprise = 0xfffffffe});
  EXPECT_NE(message.octets.find(octets("8001 0008 fffffffe")), std::string::npos);
  EXPECT_EQ(message.octets.find(octets("00007ed9")), std::string::npos);
}

TEST(Ipfix, OwnElementsAreDescribed) {
  auto message = ipfix_own_elements({.observation_domain = 1});
  stamp(message, 1, 2);
  expect_octets(message.octets,
                "000a 0095 00000001 00000002 00000001"
                "0103 0085"
                "00007ed9 0001 04 04 10 616e616272616e636853657276696365"
                "00007ed9 0002 0d 00 0f 616e616272616e6368436c69656e74"
                "00007ed9 0003 0d 00 11 616e616272616e636850726f7669646572"
                "00007ed9 0004 01 04 0d 616e616272616e63684b696e64"
                "00007ed9 0005 04 03 17 616e616272616e63684f766572686561644f6374657473");
  EXPECT_EQ(message.data_records, 5u);
}

TEST(Ipfix, LossesAreOneRecordOfTheExportingProcess) {
  auto message = ipfix_losses(
      {.observation_domain = 1}, 4711,
      {.flows = 3, .packets = 500, .octets = 70000, .first_ms = 0x0a, .last_ms = 0x0b});
  stamp(message, 1, 2);
  expect_octets(message.octets,
                "000a 0040 00000001 00000002 00000001"
                "0104 0030 00001267 0000000000000003 00000000000001f4 0000000000011170"
                "000000000000000a 000000000000000b");
  EXPECT_EQ(message.data_records, 1u);
}

TEST(Ipfix, ARecordOfEachFamilyHasTheFieldsOfItsTemplate) {
  const FlowRecord records[] = {ipv4_record()};
  auto messages = ipfix_flows({.observation_domain = 9}, records, 1400);
  ASSERT_EQ(messages.size(), 1u);
  stamp(messages[0], 0x65000000, 0x7fffffff);
  const std::string times = "0000018c01020304 0000018c01020fff";
  expect_octets(messages[0].octets,
                "000a 0081 65000000 7fffffff 00000009"
                "0100 0071" +
                    times + "0a0a0002 0a140003 1388 01bb 06 b8 001b" + kCounts);

  const FlowRecord others[] = {ipv6_record(), rest_record()};
  messages = ipfix_flows({.observation_domain = 9}, others, 1400);
  ASSERT_EQ(messages.size(), 1u);
  stamp(messages[0], 0, 0);
  std::string of_ipv6 = octets(kCounts), of_service = octets(kCounts);
  of_ipv6[16] = 0;  // ingress
  of_ipv6[17] = 1;  // idle
  of_ipv6.replace(18, 8, octets("00000002 00000000"));
  of_ipv6[of_ipv6.size() - 9] = 1;  // repair
  of_service[of_service.size() - 9] = 2;
  expect_octets(messages[0].octets,
                "000a 00fb 00000000 00000000 00000009"
                "0101 0089" +
                    times +
                    "20010db8000100000000000000000002 20010db8000200000000000000000003"
                    "1388 01bb 06 b8 001b" +
                    shown(of_ipv6) + "0102 0062" + times + "06" + shown(of_service));
  EXPECT_EQ(messages[0].data_records, 2u);
  EXPECT_EQ(messages[0].flows, 2u);
  EXPECT_EQ(messages[0].flow_octets, 2 * 123456789013u);
  EXPECT_EQ(messages[0].flow_packets, 2 * 0x11223344u);
}

TEST(Ipfix, AMessageIsFullButNeverTooLong) {
  for (const size_t most : {512u, 1372u, 4096u, 100'000u}) {
    std::vector<FlowRecord> records;
    for (int i = 0; i < 1500; ++i) {
      records.push_back(i % 5 == 0 ? ipv6_record() : i % 7 == 0 ? rest_record() : ipv4_record());
      records.back().client = std::string(static_cast<size_t>(i) % 70, 'x');
    }
    const auto messages = ipfix_flows({}, records, most);
    size_t flows = 0;
    for (size_t i = 0; i < messages.size(); ++i) {
      const std::string& message = messages[i].octets;
      EXPECT_LE(message.size(), std::min(most, kIpfixMessageMax));
      EXPECT_EQ(number(message, 2, 2), message.size());
      if (i + 1 < messages.size()) {
        EXPECT_GT(message.size() + kIpfixRecordMax, std::min(most, kIpfixMessageMax));
      }
      flows += messages[i].flows;
      // Its sets fill it, one behind the other.
      size_t at = kIpfixHeader;
      while (at + 4 <= message.size()) {
        EXPECT_GT(number(message, at + 2, 2), 4u);
        at += number(message, at + 2, 2);
      }
      EXPECT_EQ(at, message.size());
    }
    EXPECT_EQ(flows, records.size());
  }
}

TEST(Ipfix, ANameThatIsTooLongIsCutOffAndNothingElse) {
  FlowRecord record = ipv4_record();
  record.client = std::string(300, 'c');
  const FlowRecord records[] = {record};
  const std::string message = ipfix_flows({}, records, 512)[0].octets;
  EXPECT_EQ(message.find(std::string(65, 'c')), std::string::npos);
  EXPECT_NE(message.find(octets("40") + std::string(64, 'c') + octets("09") + "airmobile"),
            std::string::npos);
}

TEST(Ipfix, NoRecordsAreNoMessages) {
  EXPECT_TRUE(ipfix_flows({}, {}, 512).empty());
}

}  // namespace
}  // namespace anabranch::billing
