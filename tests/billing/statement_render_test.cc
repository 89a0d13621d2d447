// SPDX-License-Identifier: BSD-3-Clause
// Presentations of a statement: what they are to the letter, what a document must have, and that no
// text of an operator gets out of its place. What parsers make of them: statement_render_check.py.
#include <gtest/gtest.h>

#include <cctype>
#include <functional>
#include <set>

#include "billing/printable.h"
#include "billing/statement_csv.h"
#include "billing/statement_html.h"
#include "billing/statement_pdf.h"
#include "billing/statement_text.h"
#include "billing/statement_ubl.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using Rendered = tl::expected<std::string, std::string>;

json sample() {
  return json::parse(R"({
    "number": "2026-000123", "kind": "statement",
    "issuer": {"id": "anabranch-co", "name": "Anabranch Co"},
    "account": "client:acme", "customer": {"id": "acme", "name": "Acme GmbH"},
    "zone": "Europe/Berlin",
    "from": "2026-10-01T00:00:00+02:00", "to": "2026-11-01T00:00:00+01:00",
    "issued": "2026-11-04T00:00:12+01:00", "currency": "EUR",
    "tariff": {"id": "business", "version": "5d41402a"}, "provider_charges": "itemised",
    "sections": [
      {"provider": "", "octets": 0, "subtotal": "1049.00", "lines": [
        {"item": "line", "description": "monthly fee", "octets": 0, "packets": 0, "unit": "cycle",
         "at": [{"quantity": "1", "price": "1049.00"}], "amount": "1049.00",
         "tax": {"category": "S", "percent": "19"}}]},
      {"provider": "airmobile", "octets": 1234567890, "subtotal": "0.70", "lines": [
        {"item": "mobile", "description": "mobile data", "passed": "retail",
         "octets": 1234567890, "packets": 1234567, "unit": "GB",
         "at": [{"quantity": "1", "price": "0.60"}, {"quantity": "0.23456789", "price": "0.40"}],
         "conversion": {"from": "USD", "to": "EUR", "of_from": "1.0834", "of_to": "1",
                        "rates": "ecb-2026-10-31", "date": "2026-10-31"},
         "amount": "0.70", "tax": {"category": "S", "percent": "19"}}]}],
    "credits": [
      {"service": 7, "promise": "availability", "promised": "99.9", "measured": "99.2",
       "window": {"from": "2026-10-01T00:00:00+02:00", "to": "2026-11-01T00:00:00+01:00"},
       "samples": 44640, "missed": 357, "amount": "-4.90",
       "description": "availability of service 7: 99.2 % of 99.9 % promised",
       "tax": {"category": "S", "percent": "19"}}],
    "taxes": [{"category": "S", "percent": "19", "reason": "", "net": "1044.80", "tax": "198.51"}],
    "net": "1044.80", "tax": "198.51", "gross": "1243.31",
    "usage": [
      {"provider": "airmobile", "network": "lte", "path": "mobile", "gateway": "site-a",
       "direction": "sent", "kind": "first", "octets": 1034567890, "packets": 1034567},
      {"provider": "airmobile", "network": "lte", "path": "mobile", "gateway": "site-a",
       "direction": "received", "kind": "first", "octets": 200000000, "packets": 200000}],
    "days": [{"day": "2026-10-01", "provider": "airmobile", "sent": 1034567890,
              "received": 200000000}]})");
}

constexpr const char* kSampleText = R"(Statement 2026-000123
==============================================================================
  issuer     Anabranch Co (anabranch-co)
  customer   Acme GmbH (acme)
  account    client:acme
  period     2026-10-01 00:00 +02:00 until 2026-11-01 00:00 +01:00,
             Europe/Berlin
  issued     2026-11-04 00:00:12 +01:00
  tariff     business, version 5d41402a

  Amounts in EUR. Octets are those of outer IP packets; 1 GB = 10^9 octets.

Anabranch Co (anabranch-co)                              octets         amount
------------------------------------------------------------------------------
  monthly fee (line)                                                  1 049.00
      1 cycle at 1 049.00 EUR
  subtotal                                                            1 049.00

airmobile                                                octets         amount
------------------------------------------------------------------------------
  mobile data (mobile, retail)                    1 234 567 890           0.70
      1 GB at 0.60 EUR
      0.23456789 GB at 0.40 EUR
      exchanged at 1.0834 USD for 1 EUR, ecb-2026-10-31 of 2026-10-31
  subtotal                                        1 234 567 890           0.70

Credits                                                                 amount
------------------------------------------------------------------------------
  availability of service 7: 99.2 % of 99.9                              -4.90
  % promised
      2026-10-01 00:00 +02:00 until 2026-11-01 00:00 +01:00
      missed in 357 of 44 640 samples

==============================================================================
  net                                                                 1 044.80
  tax S 19 % on 1 044.80                                                198.51
  gross, EUR                                                          1 243.31

Usage                                                    octets        packets
------------------------------------------------------------------------------
  mobile (airmobile, lte) at site-a
      sent, first                                 1 034 567 890      1 034 567
      received, first                               200 000 000        200 000
  total                                           1 234 567 890      1 234 567
)";

TEST(StatementText, IsTheSampleToTheLetter) {
  EXPECT_EQ(statement_text(sample()).value(), kSampleText);
}

TEST(StatementText, ExplainsNoAmountUnlessItemised) {
  json document = sample();
  document["provider_charges"] = "summarised";
  EXPECT_EQ(statement_text(document)->find("GB at"), std::string::npos);
}

TEST(StatementText, NamesTheTaxOfEachLineWhereThereAreSeveral) {
  json document = sample();
  document["taxes"].push_back(
      {{"category", "AE"}, {"reason", "Reverse charge"}, {"net", "0.00"}, {"tax", "0.00"}});
  const std::string text = statement_text(document).value();
  EXPECT_NE(text.find("\n      tax S 19 %\n"), std::string::npos);
  EXPECT_NE(text.find("\n  tax AE on 0.00: Reverse charge            "), std::string::npos);
  EXPECT_NE(text.find("\n  tax                 "), std::string::npos);
}

TEST(StatementText, SaysWhatAnAdjustmentCorrects) {
  json document = sample();
  document["kind"] = "adjustment";
  document["corrects"] = {"2026-000101", "2026-000102"};
  document["sections"][1]["lines"][0]["period"] = {{"from", "2026-09-01T00:00:00+02:00"},
                                                   {"to", "2026-10-01T00:00:00+02:00"},
                                                   {"statement", "2026-000101"}};
  const std::string text = statement_text(document).value();
  EXPECT_TRUE(text.starts_with("Adjustment 2026-000123\n"));
  EXPECT_NE(text.find("\n  corrects   2026-000101, 2026-000102\n"), std::string::npos);
  EXPECT_NE(text.find("corrects 2026-000101, 2026-09-01 00:00 +02:00 until"), std::string::npos);
}

TEST(StatementText, AlignsByDisplayedWidth) {
  json document = sample();
  document["sections"][1]["provider"] = "空中移動通信";
  document["sections"][1]["lines"][0]["description"] = "cafe\u0301 Größe";
  const std::string text = statement_text(document).value();
  EXPECT_NE(text.find("空中移動通信" + std::string(45, ' ') + "octets         amount\n"),
            std::string::npos);
  EXPECT_NE(text.find("  cafe\u0301 Größe (mobile, retail)" + std::string(21, ' ') +
                      "1 234 567 890           0.70\n"),
            std::string::npos);
}

TEST(StatementCsv, IsTheSampleToTheLetter) {
  const std::string head =
      "2026-000123,statement,anabranch-co,client:acme,acme,"
      "2026-10-01T00:00:00+02:00,2026-11-01T00:00:00+01:00,";
  EXPECT_EQ(
      statement_csv(sample()).value(),
      "\xef\xbb\xbfstatement,kind,issuer,account,customer,from,to,row,provider,item,passed,"
      "description,service,octets,packets,quantity,unit,price,tiers,of_from,from_currency,of_to,"
      "to_currency,rates,rates_of,for_statement,for_from,for_to,tax_category,tax_percent,"
      "tax_reason,taxed,amount,currency\r\n" +
          head + "line,,line,,monthly fee,,0,0,1,cycle,1049.00,,,,,,,,,,,S,19,,,1049.00,EUR\r\n" +
          head +
          "line,airmobile,mobile,retail,mobile data,,1234567890,1234567,,GB,,"
          "1 GB at 0.60; 0.23456789 GB at 0.40,1.0834,USD,1,EUR,ecb-2026-10-31,2026-10-31,,,,"
          "S,19,,,0.70,EUR\r\n" +
          head +
          "credit,,availability,,availability of service 7: 99.2 % of 99.9 % promised,7,"
          ",,,,,,,,,,,,,2026-10-01T00:00:00+02:00,2026-11-01T00:00:00+01:00,S,19,,,-4.90,EUR\r\n" +
          head + "tax,,,,,,,,,,,,,,,,,,,,,S,19,,1044.80,198.51,EUR\r\n" + head +
          "net,,,,,,,,,,,,,,,,,,,,,,,,,1044.80,EUR\r\n" + head +
          "total tax,,,,,,,,,,,,,,,,,,,,,,,,,198.51,EUR\r\n" + head +
          "gross,,,,,,,,,,,,,,,,,,,,,,,,,1243.31,EUR\r\n");
}

TEST(StatementCsv, GivesNoSpreadsheetAFormula) {
  struct Case {
    const char *text, *cell;
  };
  const Case cases[] = {
      {"=1+1", ",'=1+1,"},
      {"+1", ",'+1,"},
      {"-1", ",'-1,"},
      {"@SUM(A1)", ",'@SUM(A1),"},
      {"\t=1", ",'\t=1,"},
      {"\r=1", ",\"'\r=1\","},
      {"\tplain", ",'\tplain,"},
      {" =1", ",' =1,"},
      {"＝1", ",'＝1,"},
      {"\u200b=1", ",'\u200b=1,"},
      {"=HYPERLINK(\"a\",\"b\")", ",\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\","},
      {"a=1", ",a=1,"},
      {"say \"a\"", ",\"say \"\"a\"\"\","},
      {"two\nlines", ",\"two\nlines\","},
      {"nul\x1b[2J", ",nul\xef\xbf\xbd[2J,"},
  };
  for (const auto& [text, cell] : cases) {
    json document = sample();
    document["sections"][1]["lines"][0]["description"] = text;
    EXPECT_NE(statement_csv(document)->find(std::string(",retail") + cell + ",1234567890,"),
              std::string::npos)
        << text;
  }
}

TEST(StatementHtml, IsOfTheSample) {
  const std::string html = statement_html(sample()).value();
  for (const char* part :
       {"<html lang=\"en\">", "<title>Statement 2026-000123, Acme GmbH (acme)</title>",
        "<caption><bdi>airmobile</bdi></caption>\n<thead><tr><th scope=\"col\">Charge</th>"
        "<th scope=\"col\" class=\"n\">Octets</th><th scope=\"col\" class=\"n\">Amount</th>",
        "<tr class=\"explained\"><th scope=\"row\"><bdi>mobile data (mobile, retail)</bdi></th>"
        "<td class=\"n\"><data value=\"1234567890\">1\u00a0234\u00a0567\u00a0890</data></td>"
        "<td class=\"n\"><data value=\"0.70\">0.70</data></td></tr>\n<tr><td colspan=\"3\">"
        "<ul class=\"details\"><li><bdi>1 GB at 0.60 EUR</bdi></li>"
        "<li><bdi>0.23456789 GB at 0.40 EUR</bdi></li>",
        "<td class=\"n\"><data value=\"-4.90\">\u22124.90</data></td>",
        "<tr><th scope=\"row\">Gross, <bdi>EUR</bdi></th>"
        "<td class=\"n\"><data value=\"1243.31\">1\u00a0243.31</data></td></tr>",
        "<time datetime=\"2026-11-01T00:00:00+01:00\">2026-11-01 00:00 +01:00</time>",
        "<text x=\"0\" y=\"110\">GB a day</text>", "text-anchor=\"middle\">31 Oct</text>",
        "<rect class=\"c0\" x=\"493\" y=\"838\" width=\"82\" height=\"1282\"><title>1 Oct, "
        "airmobile: 1\u00a0034\u00a0567\u00a0890 octets</title></rect>",
        "<tr><th scope=\"row\" class=\"day\">2026-10-01</th><td><bdi>airmobile</bdi></td>"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
  for (const char* foreign : {"<script", "http:", "https:", "url(", "@import", "src=", "href="})
    EXPECT_EQ(html.find(foreign), std::string::npos) << foreign;
}

TEST(StatementHtml, HasNoGraphWithoutUsageInThePeriod) {
  for (const char* day : {"2026-09-30", "2026-11-01", "2026-02-31"}) {
    json document = sample();
    document["days"][0]["day"] = day;
    EXPECT_EQ(statement_html(document)->find("<figure"), std::string::npos) << day;
  }
  json document = sample();
  document["days"][0]["day"] = "2026-10-31";
  EXPECT_NE(statement_html(document)->find("<figure"), std::string::npos);
}

TEST(StatementHtml, DrawsTheLargestUsage) {
  json document = sample();
  document["days"] = json::array();
  for (int provider = 0; provider < 12; ++provider)
    document["days"].push_back({{"day", "2026-10-02"},
                                {"provider", "p" + std::to_string(provider)},
                                {"sent", UINT64_MAX},
                                {"received", 12 - provider}});
  const std::string html = statement_html(document).value();
  EXPECT_NE(html.find("EB a day"), std::string::npos);
  EXPECT_NE(html.find("<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"c7\" "
                      "width=\"10\" height=\"10\"/></svg> <bdi>others</bdi></li>"),
            std::string::npos);
}

// All give the same answer; this is the text, or the error. Of a statement that can be read, a UBL
// may still be refused.
Rendered all_of(const json& document) {
  const Rendered text = statement_text(document), csv = statement_csv(document),
                 html = statement_html(document);
  if (!text) {
    EXPECT_EQ(statement_ubl(document).error(), text.error());
  }
  EXPECT_EQ(text.has_value(), csv.has_value());
  EXPECT_EQ(text.has_value(), html.has_value());
  if (!text && !csv && !html) {
    EXPECT_EQ(text.error(), csv.error());
    EXPECT_EQ(text.error(), html.error());
  }
  return text;
}

// A sample with all members that a document may have.
json complete() {
  json document = sample();
  document["sections"][0]["lines"][0]["octets"] = 1;  // shown, whatever the unit
  document["corrects"] = {"2026-000101"};
  document["payment_terms"] = "within 14 days";
  for (const char* party : {"issuer", "customer"}) {
    document[party]["address"] = {
        {"street", "Hauptstr. 1"}, {"postcode", "10115"}, {"city", "Berlin"}, {"country", "DE"}};
    document[party]["vat_id"] = "DE123456789";
    document[party]["email"] = "billing@example.net";
  }
  document["sections"][1]["lines"][0]["tax"]["reason"] = "why";
  document["sections"][1]["lines"][0]["period"] = {{"from", "2026-09-01T00:00:00+02:00"},
                                                   {"to", "2026-10-01T00:00:00+02:00"},
                                                   {"statement", "2026-000101"}};
  return document;
}

// Of all members in it, at whatever depth; not of elements of lists.
std::vector<json::json_pointer> members_of(const json& document) {
  std::set<std::string> pointers;
  const json flat = document.flatten();
  for (const auto& [leaf, value] : flat.items()) {
    for (json::json_pointer at(leaf); !at.empty(); at = at.parent_pointer())
      if (std::isdigit(static_cast<unsigned char>(at.back()[0])) == 0)
        pointers.insert(at.to_string());
  }
  std::vector<json::json_pointer> members;
  for (const std::string& pointer : pointers) members.emplace_back(pointer);
  return members;
}

const std::set<std::string> kOptional{"/credits",       "/usage",          "/days",
                                      "/corrects",      "/tariff/version", "/taxes/0/percent",
                                      "/payment_terms", "/taxes/0/reason"};
const std::set<std::string> kOptionalOfLine{
    "/passed",  "/conversion", "/period",           "/tax",        "/unit",       "/octets",
    "/packets", "/at",         "/period/statement", "/tax/reason", "/tax/percent"};
const std::set<std::string> kOptionalOfCredit{"/service",  "/promise", "/promised",
                                              "/measured", "/window",  "/samples",
                                              "/missed",   "/tax",     "/tax/percent"};

bool may_lack(const std::string& pointer) {
  for (const std::string line : {"/sections/0/lines/0", "/sections/1/lines/0"}) {
    if (pointer.starts_with(line)) return kOptionalOfLine.contains(pointer.substr(line.size()));
  }
  const std::string credit = "/credits/0";
  for (const std::string party : {"/issuer", "/customer"}) {
    if (pointer.starts_with(party + "/"))
      return pointer != party + "/id" && pointer != party + "/name";
  }
  if (pointer.starts_with(credit)) return kOptionalOfCredit.contains(pointer.substr(credit.size()));
  return kOptional.contains(pointer);
}

TEST(StatementDocument, MayLackSomeMembersAndMustHaveAllOthers) {
  int required = 0, optional = 0;
  for (const auto& member : members_of(complete())) {
    json document = complete();
    document[member.parent_pointer()].erase(member.back());
    const Rendered rendered = all_of(document);
    if (may_lack(member.to_string())) {
      EXPECT_TRUE(rendered) << member << ": " << rendered.error();
      ++optional;
    } else {
      ASSERT_FALSE(rendered) << member;
      EXPECT_EQ(rendered.error().substr(0, rendered.error().find(';')),
                "statement: " + member.to_string() + ": is missing");
      ++required;
    }
  }
  EXPECT_EQ(required, 80);
  EXPECT_EQ(optional, 48);
}

// Whatever a member is instead: an error that names it, or a presentation; never an exception.
TEST(StatementDocument, MayHoldTheWrongThingAnywhere) {
  const json wrong[] = {nullptr,
                        true,
                        -1,
                        1.5,
                        "",
                        "text",
                        json::array(),
                        json::array({1}),
                        json::object(),
                        UINT64_MAX,
                        "=1",
                        "1e5",
                        "1.",
                        ".1",
                        "-",
                        "--1",
                        "0000-00-00",
                        "2026-10-01T00:00:00",
                        "2026-10-01T00:00:00+0200"};
  int errors = 0;
  for (const auto& member : members_of(complete())) {
    for (const json& other : wrong) {
      json document = complete();
      document[member] = other;
      const Rendered rendered = all_of(document);
      if (rendered) continue;
      EXPECT_TRUE(rendered.error().starts_with("statement: " + member.to_string()))
          << rendered.error();
      ++errors;
    }
  }
  for (const json& other : wrong) EXPECT_FALSE(all_of(other)) << other;
  EXPECT_GT(errors, 1000);
}

TEST(StatementDocument, SaysWhatIsWrong) {
  const auto error = [](const char* pointer, const json& value) {
    json document = sample();
    document[json::json_pointer(pointer)] = value;
    return all_of(document).error();
  };
  EXPECT_EQ(error("/net", "1,00"),
            "statement: /net: \"1,00\"; expected a decimal number as a text, "
            "such as \"-4.90\"");
  EXPECT_EQ(error("/from", "October"),
            "statement: /from: \"October\"; expected a time such as "
            "\"2026-10-01T00:00:00+02:00\"");
  EXPECT_EQ(error("/kind", "invoice"),
            "statement: /kind: \"invoice\"; expected statement, adjustment or preview");
  EXPECT_EQ(error("/sections/1/octets", -1),
            "statement: /sections/1/octets: -1; expected a whole number, not negative");
  EXPECT_EQ(error("/usage/0/path", 5), "statement: /usage/0/path: 5 is no text");
  EXPECT_EQ(error("/sections", 5), "statement: /sections: 5 is no list");
  EXPECT_EQ(error("/sections/0", 5), "statement: /sections/0: 5 is no JSON object");
}

const std::string kHostile[] = {
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'--></style></title></svg><!--",
    "&lt;b&gt; &amp; &#0;",
    "=cmd|'/C calc'!A1",
    "one, \"two\"\r\nthree\n\n\tfour",
    "abc\u202edcb\u2066\u2069\u200f",
    std::string(200, 'W'),
    std::string(200, ' ') + "far",
    std::string("nul\0and\x1b[31mescape\x7f\u0085", 20),
    "\xff\xfe\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82",
    "\u2028\u2029\ufeff\uffff",
    "שלום عالم 你好 👩‍👩‍👧 Z\u0351\u036b\u0343",
    "{} {0} %s %n ${x}",
    "",
};

bool is_utf8_without_controls(const std::string& text, const char* allowed) {
  for (size_t i = 0; i < text.size();) {
    const auto [code, octets] = first_character(std::string_view(text).substr(i));
    if (code == 0xfffd && octets == 1) return false;
    const bool control = code < ' ' || (code >= 0x7f && code < 0xa0) ||
                         (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    if (control && (code > 0x7f || std::string_view(allowed).find(text[i]) == std::string::npos))
      return false;
    i += octets;
  }
  return true;
}

// The elements, without what is in them.
std::string tags(const std::string& html) {
  std::string out;
  bool inside = false;
  for (const char c : html) {
    if (c == '<') inside = true;
    if (inside) out += c;
    if (c == '>') inside = false;
  }
  return out;
}

void expect_harmless(const json& document, const std::string& tags_expected) {
  const std::string text = statement_text(document).value();
  EXPECT_TRUE(is_utf8_without_controls(text, "\n"));
  for (size_t from = 0, to; (to = text.find('\n', from)) != std::string::npos; from = to + 1)
    EXPECT_LE(displayed_width(text.substr(from, to - from)), 78u) << text.substr(from, to - from);
  EXPECT_NE(text.find("1 243.31\n"), std::string::npos);
  EXPECT_TRUE(is_utf8_without_controls(statement_csv(document).value().substr(3), "\r\n\t"));
  const std::string html = statement_html(document).value();
  EXPECT_TRUE(is_utf8_without_controls(html, "\n"));
  if (!tags_expected.empty()) {
    EXPECT_EQ(tags(html), tags_expected);
  }
}

// What must be a number, a time or one of a few words is not a text of anybody's.
bool is_anybodys_text(const json& document, const json::json_pointer& member) {
  static const std::set<std::string> kChecked{
      "from",  "to",       "issued",   "day",   "provider_charges", "amount",  "net",  "tax",
      "gross", "subtotal", "quantity", "price", "percent",          "of_from", "of_to"};
  const std::string pointer = member.to_string();
  if (!document[member].is_string() || pointer == "/kind") return false;
  return pointer.ends_with("/conversion/from") || pointer.ends_with("/conversion/to") ||
         !kChecked.contains(member.back());
}

TEST(StatementDocument, MayHoldAnyTextInAnyPlace) {
  const json whole = complete();
  const std::string plain = tags(statement_html(whole).value());
  int texts = 0;
  for (const auto& member : members_of(whole)) {
    if (!is_anybodys_text(whole, member)) continue;
    ++texts;
    for (const std::string& hostile : kHostile) {
      SCOPED_TRACE(member.to_string() + ": " + hostile);
      json document = whole;
      document[member] = hostile;
      // Usage of another path has a row more, and an empty version is not shown.
      const bool same = !member.to_string().starts_with("/usage") && !hostile.empty();
      expect_harmless(document, same ? plain : "");
    }
  }
  EXPECT_EQ(texts, 60);
}

TEST(StatementDocument, MayHoldAnyTextInAllPlaces) {
  const json whole = complete();
  for (const std::string& hostile : kHostile) {
    SCOPED_TRACE(hostile);
    json document = whole;
    for (const auto& member : members_of(whole))
      if (is_anybodys_text(whole, member)) document[member] = hostile;
    expect_harmless(document, "");
  }
}

TEST(StatementDocument, MayHoldTheLargestNumbers) {
  json document = sample();
  document["sections"][1]["lines"][0]["octets"] = UINT64_MAX;
  document["sections"][1]["lines"][0]["amount"] = "-170141183460469231731.687303715884105728";
  document["usage"][0]["octets"] = document["usage"][1]["octets"] = UINT64_MAX;
  expect_harmless(document, "");
}

TEST(StatementText, SaysOfWhichPeriodALineIs) {
  json document = sample();
  document["sections"][1]["lines"][0]["period"] = {{"from", "2026-09-01T00:00:00+02:00"},
                                                   {"to", "2026-10-01T00:00:00+02:00"}};
  EXPECT_NE(statement_text(document)->find("of an earlier period, 2026-09-01 00:00 +02:00 until"),
            std::string::npos);
}

TEST(StatementPdf, IsTheSameOctetsEachTime) {
  const std::string once = statement_pdf(complete()).value();
  EXPECT_TRUE(once.starts_with("%PDF-"));
  EXPECT_EQ(once, statement_pdf(complete()).value());
  json other = complete();
  other["gross"] = "1243.32";
  EXPECT_NE(once, statement_pdf(other).value());
}

TEST(StatementPdf, MayHoldAnyTextInAllPlaces) {
  const json whole = complete();
  for (const std::string& hostile : kHostile) {
    SCOPED_TRACE(hostile);
    json document = whole;
    for (const auto& member : members_of(whole))
      if (is_anybodys_text(whole, member)) document[member] = hostile;
    EXPECT_TRUE(statement_pdf(document)->starts_with("%PDF-"));
  }
}

TEST(StatementPdf, NeedsNoOtherMembersThanText) {
  for (const json& other : {json(5), json::object(), json{{"number", 5}}})
    EXPECT_EQ(statement_pdf(other).error(), statement_text(other).error());
}

// --- What a statement lacks to be an invoice by EN 16931 ---

json invoice() {
  json document = complete();
  document["sections"][1]["lines"][0]["tax"].erase("reason");
  return document;
}

std::string ubl_error(const std::function<void(json&)>& change) {
  json document = invoice();
  change(document);
  const Rendered made = statement_ubl(document);
  return made ? "" : made.error();
}

TEST(StatementUbl, SaysWhatItLacks) {
  EXPECT_EQ(ubl_error([](json&) {}), "");
  struct Case {
    const char *pointer, *error;
  };
  const Case cases[] = {
      {"/issuer/address",
       "needs the address of the issuer; add it to the document of anabranch-co"},
      {"/issuer/vat_id", "needs the vat_id of the issuer; add it to the document of anabranch-co"},
      {"/customer/address", "needs the address of the client; add it to the document of acme"},
      {"/payment_terms", "needs the payment_terms of the issuer"},
      {"/sections/0/lines/0/tax", "a charge has no tax category"}};
  for (const auto& [pointer, error] : cases) {
    const std::string said = ubl_error([&](json& document) {
      const json::json_pointer at(pointer);
      document[at.parent_pointer()].erase(at.back());
    });
    EXPECT_TRUE(said.starts_with("statement 2026-000123: ")) << said;
    EXPECT_NE(said.find(error), std::string::npos) << said;
  }
}

TEST(StatementUbl, IsNotMadeOfWhatDoesNotAddUp) {
  const auto with = [](const char* pointer, const json& value) {
    return ubl_error([&](json& document) { document[json::json_pointer(pointer)] = value; });
  };
  EXPECT_NE(with("/sections/0/lines/0/amount", "1049.01").find("do not add up"), std::string::npos);
  EXPECT_NE(with("/credits/0/amount", "-4.89").find("do not add up"), std::string::npos);
  EXPECT_NE(with("/taxes/0/tax", "198.50").find("taxes do not add up"), std::string::npos);
  EXPECT_NE(with("/gross", "1243.30").find("do not add up to the gross"), std::string::npos);
  EXPECT_NE(with("/credits/0/amount", "-4.901").find("two decimals"), std::string::npos);
  EXPECT_NE(with("/gross", "1234567890123456.00").find("more than an invoice"), std::string::npos);
  EXPECT_NE(with("/currency", "XYZ").find("no currency known"), std::string::npos);
}

TEST(Printable, ReplacesWhatIsNoCharacter) {
  EXPECT_EQ(printable("a\xff\xe2\x82z"), "a\ufffd\ufffd\ufffdz");
  EXPECT_EQ(printable("\xc0\xaf"), "\ufffd\ufffd");            // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");  // a surrogate
  EXPECT_EQ(printable("a\tb\r\nc\u2028d"), "a b  c d");
  EXPECT_EQ(printable("a\tb\r\nc\u2028d", Breaks::kept), "a\tb\r\nc\ufffdd");
  EXPECT_EQ(printable("\u202egpj\u202c"), "\ufffdgpj\ufffd");
  EXPECT_EQ(printable("Größe 你好 👍"), "Größe 你好 👍");
}

TEST(Printable, KnowsHowWideACharacterIs) {
  EXPECT_EQ(displayed_width("abc"), 3u);
  EXPECT_EQ(displayed_width("你好"), 4u);
  EXPECT_EQ(displayed_width("e\u0301\u200b"), 1u);
  EXPECT_EQ(displayed_width("👍ｗ\uac00"), 6u);
}

TEST(Printable, BreaksAtSpacesAndWithinLongWords) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(wrapped("", 5), (Lines{""}));
  EXPECT_EQ(wrapped("   ", 2), (Lines{""}));
  EXPECT_EQ(wrapped("ab cd", 5), (Lines{"ab cd"}));
  EXPECT_EQ(wrapped("ab cd ef", 5), (Lines{"ab cd", "ef"}));
  EXPECT_EQ(wrapped("ab cde f", 5), (Lines{"ab", "cde f"}));
  EXPECT_EQ(wrapped("abcdefg h", 5), (Lines{"abcde", "fg h"}));
  EXPECT_EQ(wrapped("你好嗎", 5), (Lines{"你好", "嗎"}));
  EXPECT_EQ(wrapped("ab 1\u00a0234", 5), (Lines{"ab", "1 234"}));
  EXPECT_EQ(wrapped("abcde\u0301f", 5), (Lines{"abcde\u0301", "f"}));
}

}  // namespace
}  // namespace anabranch::billing
