// SPDX-License-Identifier: BSD-3-Clause
// Clients, segmentation profiles and service requests: what is read, and how mistakes are named.
#include "control/documents.h"

#include <gtest/gtest.h>

#include <random>

#include "billing/money.h"
#include "control/json_reader.h"
#include "control/octets.h"
#include "tests/control/example.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

json client() {
  return json::parse(text_of(example("site-a/clients/acme.json")));
}
json profile() {
  return json::parse(text_of(example("site-a/profiles/bonded.json")));
}
json request() {
  return {{"client", "acme"},
          {"traffic",
           {{{"source", "10.10.0.0/24"},
             {"destination", "10.20.0.0/25"},
             {"protocol", "tcp"},
             {"source_ports", "1024-65535"},
             {"destination_ports", "443"},
             {"dscp", 46}}}},
          {"rate_up", "5 Mbit/s"},
          {"rate_down", "50 Mbit/s"},
          {"latency_ms_max", 80},
          {"loss_percent_max", 0.5},
          {"price_per_gb_max", "0.80"},
          {"key", "order-77"},
          {"volume", "500 GB"},
          {"budget", "120.50"},
          {"start", "2028-02-28T18:00:00Z"},
          {"until", "2028-02-29T18:00:00Z"}};
}

json treated() {
  json document = profile();
  document["weight"] = 100;
  document["priority"] = 7;
  document["rate_up_max"] = "20 Mbit/s";
  document["rate_down_max"] = "64 kbit/s";
  document["classes"] = {{"EF", "urgent"},      {"AF41", "urgent"},   {"63", "urgent"},
                         {"CS1", "background"}, {"LE", "background"}, {"10", "background"},
                         {"CS3", "normal"}};
  return document;
}

template <typename Parsed>
std::string told(const Parsed& parsed) {
  std::string lines;
  if (parsed) return "in order";
  for (const auto& e : parsed.error())
    lines += (lines.empty() ? "" : "\n") + e.pointer + ": " + e.detail;
  return lines;
}

// The document with one member set; nullptr takes it away.
json with(json document, const char* pointer, const json& value) {
  const json::json_pointer at(pointer);
  if (value.is_null())
    document.at(at.parent_pointer()).erase(at.back());
  else
    document[at] = value;
  return json::parse(document.dump());  // numbers as they come from outside
}

TEST(Documents, OfTheQuickstartAreInOrder) {
  const auto c = parse_client(client());
  ASSERT_TRUE(c) << told(c);
  EXPECT_EQ(c->profile, "bonded");
  EXPECT_EQ(to_string(c->prefixes.at(0)), "10.10.0.0/24");
  const auto p = parse_profile(profile());
  ASSERT_TRUE(p) << told(p);
  EXPECT_EQ(p->quality_percent, 80);
  EXPECT_EQ(p->standing("northfibre", "any"), Standing::prefer);
}

TEST(Documents, MistakesInAClientAreNamedByTheirField) {
  const auto of = [](const char* pointer, const json& value) {
    return told(parse_client(with(client(), pointer, value)));
  };
  EXPECT_EQ(of("/id", "Acme"), "/id: \"Acme\"; expected 1 to 64 characters out of a-z, 0-9 and -");
  EXPECT_EQ(of("/id", std::string(64, 'a')), "in order");
  EXPECT_EQ(of("/profile", nullptr),
            "/profile: is missing; expected 1 to 64 characters out of a-z, 0-9 and -");
  EXPECT_EQ(of("/name", 7), "/name: 7; expected the client's name");
  EXPECT_EQ(of("/prefixes/0", "10.10.0.1/24"),
            "/prefixes/0: \"10.10.0.1/24\"; expected a prefix such as \"10.10.0.0/24\", host bits "
            "zero");
  EXPECT_EQ(of("/prefixes", "10.10.0.0/24"),
            "/prefixes: \"10.10.0.0/24\"; expected a list of prefixes");
  EXPECT_EQ(of("/tarif", "standard"), "/tarif: unknown field; did you mean \"tariff\"?");
  EXPECT_EQ(told(parse_client(json::array())), ": [] is no JSON object");
}

TEST(Documents, MistakesInAProfileAreNamedByTheirField) {
  const auto of = [](const char* pointer, const json& value) {
    return told(parse_profile(with(profile(), pointer, value)));
  };
  EXPECT_EQ(of("/quality_percent", 101),
            "/quality_percent: 101; expected a whole number from 0 to 100");
  EXPECT_EQ(of("/quality_percent", -1),
            "/quality_percent: -1; expected a whole number from 0 to 100");
  EXPECT_EQ(of("/quality_percent", 0.5),
            "/quality_percent: 0.5; expected a whole number from 0 to 100");
  EXPECT_EQ(
      of("/providers/northfibre", "love"),
      "/providers/northfibre: \"love\"; expected \"prefer\", \"allow\", \"avoid\" or \"never\" "
      "by name");
  EXPECT_EQ(of("/segmentation", json::array({"flow", "cell"})),
            "/segmentation: \"cell\"; expected \"flow\" or \"packet\"");
  EXPECT_EQ(of("/dispersion", json::array({"standby", "fastest"})),
            std::string("/dispersion: \"fastest\"; expected ") + kDispersions);
  EXPECT_EQ(of("/networks", json::array()),
            "/networks: []; expected \"prefer\", \"allow\", \"avoid\" or \"never\" by name");
}

// A profile with a rule for voice and one for backups.
json with_rules() {
  json document = profile();
  document["segmentation_rules"] = json::parse(R"([
    {"class": "voice", "dscp": ["EF", "CS5"], "protocol": "udp", "dispersion": ["redundant"],
     "latency_ms_max": 80},
    {"class": "backup", "destination_ports": "873-880", "segmentation": ["packet"],
     "quality_percent": 10, "loss_percent_max": 2}])");
  return document;
}

TEST(Documents, AProfileIsAnotherForAClassOfTraffic) {
  const auto p = parse_profile(with_rules());
  ASSERT_TRUE(p) << told(p);
  const TrafficRule plain;
  TrafficRule voice, backup;
  voice.dscp = 46;
  voice.protocol = 17;
  backup.destination_port_from = backup.destination_port_to = 873;
  const Profile& of_voice = p->for_traffic({voice, voice});
  EXPECT_EQ(of_voice.traffic_class, "voice");
  EXPECT_EQ(of_voice.dispersions, std::vector{Dispersion::redundant});
  EXPECT_EQ(of_voice.latency_ms_max, 80);
  EXPECT_EQ(of_voice.quality_percent, 80) << "the profile's";
  EXPECT_EQ(of_voice.standing("northfibre", "any"), Standing::prefer);
  const Profile& of_backup = p->for_traffic({backup});
  EXPECT_EQ(of_backup.traffic_class, "backup");
  EXPECT_EQ(of_backup.dispersions, std::vector{Dispersion::earliest_delivery});
  EXPECT_EQ(of_backup.quality_percent, 10);
  for (const auto& other : std::vector<std::vector<TrafficRule>>{{plain}, {voice, plain}, {}})
    EXPECT_EQ(&p->for_traffic(other), &*p) << "all of it has to be of the class";
  voice.protocol = 6;
  EXPECT_EQ(&p->for_traffic({voice}), &*p);
  backup.destination_port_to = 881;
  EXPECT_EQ(&p->for_traffic({backup}), &*p);
}

TEST(Documents, MistakesInASegmentationRuleAreNamedByTheirField) {
  const auto of = [](const char* pointer, const json& value) {
    return told(parse_profile(with(with_rules(), pointer, value)));
  };
  EXPECT_EQ(
      of("/segmentation_rules/0/dscp/0", "XY"),
      "/segmentation_rules/0/dscp: \"XY\"; expected a list of DSCPs such as \"EF\", \"AF41\", "
      "\"CS1\" or \"10\"");
  EXPECT_EQ(of("/segmentation_rules/1/destination_ports", nullptr),
            "/segmentation_rules/1/dscp: nothing; expected what tells the class: dscp, protocol or "
            "ports");
  EXPECT_EQ(of("/segmentation_rules/1/class", "voice"),
            "/segmentation_rules/1/class: \"voice\" again; expected each class once");
  EXPECT_EQ(of("/segmentation_rules/0/quality", 5), "/segmentation_rules/0/quality: unknown field");
  EXPECT_EQ(of("/segmentation_rules", json::array()),
            "/segmentation_rules: []; expected a list of 1 to 16 objects");
}

TEST(Documents, AProfileTellsWhatItsServicesAreGiven) {
  const auto plain = parse_profile(profile());
  ASSERT_TRUE(plain) << told(plain);
  EXPECT_EQ(plain->treatment, Treatment{});
  EXPECT_EQ(plain->priority, 0);
  const auto p = parse_profile(with(treated(), "/id", "p"));
  ASSERT_TRUE(p) << told(p);
  EXPECT_EQ(p->treatment.weight, 100);
  EXPECT_EQ(p->priority, 7);
  EXPECT_EQ(p->treatment.rate_up_max, 20'000'000u);
  EXPECT_EQ(p->treatment.rate_down_max, 64'000u);
  EXPECT_EQ(p->treatment.urgent, dscp_set(46) | dscp_set(34) | dscp_set(63));
  EXPECT_EQ(p->treatment.background, dscp_set(8) | dscp_set(1) | dscp_set(10));
}

TEST(Documents, MistakesInWhatServicesAreGivenAreNamedByTheirField) {
  const auto of = [](const char* pointer, const json& value) {
    return told(parse_profile(with(treated(), pointer, value)));
  };
  for (const int wrong : {0, 101, -1})
    EXPECT_EQ(of("/weight", wrong),
              "/weight: " + std::to_string(wrong) + "; expected a whole number from 1 to 100");
  for (const int wrong : {8, -1})
    EXPECT_EQ(of("/priority", wrong),
              "/priority: " + std::to_string(wrong) + "; expected a whole number from 0 to 7");
  for (const char* rate : {"/rate_up_max", "/rate_down_max"}) {
    const std::string expected = "expected a rate of 64 kbit/s or more, such as \"50 Mbit/s\"";
    EXPECT_EQ(of(rate, "63 kbit/s"), rate + std::string(": \"63 kbit/s\"; ") + expected);
    EXPECT_EQ(of(rate, "fast"), rate + std::string(": \"fast\"; ") + expected);
    EXPECT_EQ(of(rate, 20'000'000), rate + std::string(": 20000000; ") + expected);
  }
  const std::string classes = "; expected \"urgent\", \"normal\" or \"background\" by DSCP";
  EXPECT_EQ(of("/classes", json::array({"EF"})), "/classes: [\"EF\"]" + classes);
  EXPECT_EQ(of("/classes/EF", "first"), "/classes/EF: \"first\"" + classes);
  EXPECT_EQ(of("/classes/EF", 1), "/classes/EF: 1" + classes);
  const std::string dscp = "; expected a DSCP such as \"EF\", \"AF41\", \"CS1\" or \"10\", once";
  for (const std::string wrong : {"64", "-1", "ef", "AF44", "CS8", "4.0", ""})
    EXPECT_EQ(of(("/classes/" + wrong).c_str(), "urgent"),
              "/classes/" + wrong + ": \"" + wrong + "\"" + dscp);
  EXPECT_EQ(of("/classes/46", "urgent"), "/classes/EF: \"EF\"" + dscp) << "named by number";
  EXPECT_EQ(of("/wieght", 2), "/wieght: unknown field; did you mean \"weight\"?");
}

TEST(Documents, DscpsAreKnownByTheirNames) {
  for (uint8_t n = 0; n < 8; ++n) EXPECT_EQ(find_dscp("CS" + std::to_string(n)), n * 8);
  for (int x = 1; x <= 4; ++x)
    for (int y = 1; y <= 3; ++y)
      EXPECT_EQ(find_dscp("AF" + std::to_string(x) + std::to_string(y)), 8 * x + 2 * y);
  EXPECT_EQ(find_dscp("EF"), 46);
  EXPECT_EQ(find_dscp("VA"), 44);
  EXPECT_EQ(find_dscp("LE"), 1);
  EXPECT_EQ(find_dscp("63"), 63);
  EXPECT_EQ(find_dscp(""), std::nullopt);
}

TEST(Documents, MistakesInARequestAreNamedByTheirField) {
  const auto of = [](const char* pointer, const json& value) {
    return told(parse_request(with(request(), pointer, value)));
  };
  const std::string ports = "; expected a port or a range such as \"80\" or \"1000-2000\"";
  EXPECT_EQ(of("/client", "acme"), "in order");
  EXPECT_EQ(of("/traffic/0/protocol", "sctp"),
            "/traffic/0/protocol: \"sctp\"; expected \"tcp\", \"udp\" or \"icmp\"");
  for (const char* wrong : {"65536", "20-10", "-5", "80-", "http", "80 ", "1-2-3"}) {
    EXPECT_EQ(of("/traffic/0/source_ports", wrong),
              "/traffic/0/source_ports: \"" + std::string(wrong) + "\"" + ports);
  }
  EXPECT_EQ(of("/traffic/0/dscp", 64), "/traffic/0/dscp: 64; expected a whole number from 0 to 63");
  EXPECT_EQ(of("/traffic/0/source", nullptr),
            "/traffic/0/source: is missing; expected a prefix such as \"10.10.0.0/24\", host bits "
            "zero");
  EXPECT_EQ(
      of("/traffic/0/destination", "2001:db8::/32"),
      "/traffic/0/destination: \"2001:db8::/32\"; expected a prefix such as \"10.10.0.0/24\", "
      "host bits zero");
  EXPECT_EQ(of("/traffic/0/source", "2001:db8:1::/64"),
            "/traffic/0/destination: \"10.20.0.0/25\"; expected a prefix such as "
            "\"2001:db8:1::/48\", host bits zero, as source is IPv6");
  EXPECT_EQ(of("/traffic", json::array()), "/traffic: []; expected a list of 1 to 16 objects");
  EXPECT_EQ(of("/traffic/0", "all"), "/traffic/0: \"all\" is no JSON object");
  EXPECT_EQ(of("/rate_up", 5000000), "/rate_up: 5000000; expected a rate such as \"50 Mbit/s\"");
  EXPECT_EQ(of("/latency_ms_max", -1),
            "/latency_ms_max: -1; expected a number from 0.0 to 60000.0");
  EXPECT_EQ(of("/loss_percent_max", 101),
            "/loss_percent_max: 101; expected a number from 0.0 to 100.0");
  for (const char* wrong : {"cheap", "-1", "1.", ".5", "1e3", "1,5"}) {
    EXPECT_EQ(of("/price_per_gb_max", wrong), "/price_per_gb_max: \"" + std::string(wrong) +
                                                  "\"; expected a price such as \"0.80\"");
  }
  for (const char* wrong : {"2027-02-29T18:00:00Z", "2028-01-01", "2028-01-01T24:00:00Z", "soon"})
    EXPECT_EQ(of("/until", wrong), "/until: \"" + std::string(wrong) +
                                       "\"; expected a time such as \"2026-12-31T18:00:00Z\"");
}

TEST(Documents, AProfileHoldsPreferencesForBilling) {
  const json billing{{"statements", "by-provider"}, {"provider_charges", "summarised"},
                     {"currency", "USD"},           {"cycle_day", 15},
                     {"zone", "Europe/Berlin"},     {"delivery", {"html", "csv"}}};
  const auto p = parse_profile(with(profile(), "/billing", billing));
  ASSERT_TRUE(p) << told(p);
  EXPECT_EQ(p->billing.statements, billing::Statements::by_provider);
  EXPECT_EQ(p->billing.provider_charges, billing::ProviderCharges::summarised);
  EXPECT_EQ(p->billing.cycle_day, 15u);
  const auto wrong = [&](const char* pointer, const json& value) {
    return told(parse_profile(with(with(profile(), "/billing", billing), pointer, value)));
  };
  EXPECT_EQ(wrong("/billing/statements", "one"),
            "/billing/statements: \"one\" is not known; expected aggregated or by-provider");
  EXPECT_EQ(wrong("/billing/cycle_day", 32),
            "/billing/cycle_day: 32; expected a whole number from 1 to 31");
  EXPECT_NE(wrong("/billing/zone", "Mars/Olympus").find("/billing/zone: "), std::string::npos);
  EXPECT_NE(wrong("/billing/discount", 3).find("/billing/discount: "), std::string::npos);
  EXPECT_NE(wrong("/billing", "all").find("/billing"), std::string::npos);
}

TEST(Documents, ARequestIsReadBackAsItIsShown) {
  const auto q = parse_request(with(request(), "/client", "acme"));
  ASSERT_TRUE(q) << told(q);
  EXPECT_EQ(to_json(*q), request());
  const json least{{"client", "acme"}, {"traffic", {{{"source", "10.10.0.0/24"}}}}};
  EXPECT_EQ(to_json(*parse_request(least)), least);
}

TEST(Documents, VolumesAndDurationsAreReadBackAsTheyAreShown) {
  for (const char* text : {"500 GB", "1500 MB", "2 PB", "700 B", "1 kB"}) {
    ASSERT_TRUE(parse_octets(text)) << text;
    EXPECT_EQ(octets_text(*parse_octets(text)), text);
  }
  EXPECT_EQ(parse_octets("1.5 TB"), 1'500'000'000'000u);
  EXPECT_EQ(octets_text(1'500'000'000'000), "1500 GB");
  for (const char* wrong :
       {"", "5", "GB", "-1 GB", "0 GB", "1e3 GB", "10 GiB", "99999 PB", "nan B"})
    EXPECT_FALSE(parse_octets(wrong)) << wrong;
  for (const char* text : {"8 h", "90 min", "45 s", "2 d"}) {
    ASSERT_TRUE(parse_duration(text)) << text;
    EXPECT_EQ(duration_text(*parse_duration(text)), text);
  }
  for (const char* wrong : {"", "8", "0 h", "1000000 d", "-1 h", "8 hours"})
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
}

TEST(Documents, EveryPriceARequestMayNameIsAnAmount) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string text(1 + random() % 10, '0');
    for (char& c : text) c = "0123456789."[random() % 11];
    const auto q = parse_request(with(request(), "/price_per_gb_max", text));
    if (!q) continue;
    EXPECT_TRUE(billing::parse_amount(*q->price_per_gb_max)) << text;
  }
}

TEST(Documents, TheWorseStandingOfProviderAndNetworkDecides) {
  const auto p = parse_profile({{"id", "p"},
                                {"providers", {{"a", "prefer"}, {"b", "avoid"}, {"c", "never"}}},
                                {"networks", {{"x", "prefer"}, {"y", "avoid"}, {"z", "never"}}}});
  ASSERT_TRUE(p) << told(p);
  using enum Standing;
  const std::pair<std::pair<const char*, const char*>, Standing> cases[] = {
      {{"other", "other"}, allow}, {{"a", "other"}, prefer}, {{"other", "x"}, prefer},
      {{"a", "x"}, prefer},        {{"a", "y"}, avoid},      {{"b", "x"}, avoid},
      {{"a", "z"}, never},         {{"c", "x"}, never},      {{"b", "z"}, never}};
  for (const auto& [names, standing] : cases)
    EXPECT_EQ(p->standing(names.first, names.second), standing) << names.first << names.second;
}

TEST(Documents, WhatAMistakeQuotesCanBeSentOn) {
  // 60 octets would end in the middle of an ä.
  for (const size_t shift : {0, 1}) {
    std::string umlauts(shift, 'x');
    for (int i = 0; i < 100; ++i) umlauts += "ä";
    const auto q = parse_request(with(request(), "/client", json::array({umlauts})));
    ASSERT_FALSE(q);
    EXPECT_NO_THROW(problem(400, "Wrong request", "a field is wrong", q.error()).dump()) << shift;
  }
}

TEST(Documents, AreRefusedWhenTheyAreNestedDeeply) {
  for (const char* open : {"[", "{\"a\":"}) {
    std::string text = "{\"client\": ";
    for (int i = 0; i < 100000; ++i) text += open;
    text += "1";
    for (int i = 0; i < 100000; ++i) text += *open == '[' ? ']' : '}';
    const auto document = parse_json(text + "}");
    ASSERT_FALSE(document);
    EXPECT_EQ(document.error(), "lists and objects are nested more than 32 deep");
  }
}

TEST(Documents, ThatAreNoJsonAreRefusedWithASentence) {
  EXPECT_TRUE(parse_json("{}"));
  for (const char* wrong : {"", "{", "{\"a\": }", "{} {}", "{\"a\": 1e999}", "\"\xff\"", "nul"}) {
    const auto document = parse_json(wrong);
    ASSERT_FALSE(document) << wrong;
    EXPECT_FALSE(document.error().empty());
  }
}

// Everything a document may hold instead of what it should.
json anything(std::mt19937& random) {
  switch (random() % 11) {
    case 0:
      return nullptr;
    case 1:
      return true;
    case 2:
      return -1;
    case 3:
      return UINT64_MAX;
    case 4:
      return 1e300;
    case 5:
      return "";
    case 6:
      return std::string(1000, 'x');
    case 7:
      return json::array();
    case 8:
      return json::object();
    case 9:
      return json::array({json::object(), json::array({nullptr})});
    default:
      return "\xc3\xa4 text \n\t\"";
  }
}

// One member anywhere is taken away or becomes something else.
void alter(json& document, std::mt19937& random) {
  const json flat = document.flatten();
  auto member = flat.begin();
  std::advance(member, random() % flat.size());
  json::json_pointer at(member.key());
  while (!at.parent_pointer().empty() && random() % 3 == 0) at = at.parent_pointer();
  if (random() % 4 == 0 && document[at.parent_pointer()].is_object())
    document[at.parent_pointer()].erase(at.back());
  else if (random() % 4 == 0 && document[at.parent_pointer()].is_object())
    document[at.parent_pointer()]["unheard-of"] = anything(random);
  else
    document[at] = anything(random);
}

TEST(Documents, AlteredInAnyWayEndInADocumentOrInNamedMistakes) {
  std::mt19937 random(2);
  int refused = 0;
  const auto judge = [&](const auto& parsed, const json& document) {
    if (parsed) return;
    ++refused;
    EXPECT_FALSE(parsed.error().empty());
    for (const FieldError& e : parsed.error()) {
      EXPECT_TRUE(e.pointer.empty() || e.pointer.front() == '/') << e.pointer << document;
      EXPECT_FALSE(e.detail.empty()) << document;
    }
    EXPECT_NO_THROW(problem(400, "", "", parsed.error()).dump()) << document;
  };
  for (int i = 0; i < 3000; ++i) {
    json c = client(), p = treated(), q = request();
    for (unsigned n = 0; n <= random() % 3; ++n) {
      alter(c, random);
      alter(p, random);
      alter(q, random);
    }
    judge(parse_client(c), c);
    judge(parse_profile(p), p);
    judge(parse_request(q), q);
  }
  EXPECT_GT(refused, 5000);
}

}  // namespace
}  // namespace anabranch::control
