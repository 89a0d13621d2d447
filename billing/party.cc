// SPDX-License-Identifier: BSD-3-Clause
#include "billing/party.h"

#include <algorithm>

namespace anabranch::billing {
namespace {

constexpr size_t kEmailMax = 254;  // RFC 5321, 4.5.3.1.3, less its brackets
constexpr size_t kVatIdLeast = 4, kVatIdMax = 14;

// clang-format off
constexpr std::string_view kCountries =
    "1A AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW "
    "BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ "
    "FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ "
    "IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH "
    "MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL "
    "PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD "
    "TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XI YE YT ZA ZM ZW ";
// clang-format on

bool is_letter_or_digit(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Greece writes EL in tax numbers.
bool is_vat_id(std::string_view text) {
  if (text.size() < kVatIdLeast || text.size() > kVatIdMax) return false;
  const std::string_view country = text.substr(0, 2);
  return (is_country(country) || country == "EL") &&
         std::all_of(text.begin(), text.end(), is_letter_or_digit);
}

bool is_of_email(char c) {
  return is_letter_or_digit(c) ||
         std::string_view(".!#$%&'*+/=?^_`{|}~-").find(c) != std::string::npos;
}

// What is wrong is not used, whoever asks.
void keep_if(bool good, std::string& text, const char* name, const char* expected,
             DocumentReader& r) {
  if (good || text.empty()) return;
  r.wrong(name, shown(text) + "; expected " + expected);
  text.clear();
}

void read_address(DocumentReader& r, Party& party) {
  const nlohmann::json* member = r.member("address");
  if (member == nullptr) return;
  DocumentReader a(*member, r.at("address"), "an address with a country",
                   {"street", "postcode", "city", "country"}, r.errors());
  party.street = a.text("street", "the street and number", false);
  party.postcode = a.text("postcode", "the postcode", false);
  party.city = a.text("city", "the town", false);
  constexpr const char* kCountry = "a country of ISO 3166 such as \"DE\"";
  party.country = a.text("country", kCountry);
  keep_if(is_country(party.country), party.country, "country", kCountry, a);
}

}  // namespace

bool is_country(std::string_view code) {
  return code.size() == 2 && kCountries.find(std::string(code) + " ") != std::string_view::npos;
}

bool is_email(std::string_view text) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos || text.size() > kEmailMax) return false;
  const std::string_view name = text.substr(0, at), host = text.substr(at + 1);
  const auto good_dots = [](std::string_view part) {
    return !part.empty() && part.front() != '.' && part.back() != '.' &&
           part.find("..") == std::string_view::npos;
  };
  return good_dots(name) && good_dots(host) && std::all_of(name.begin(), name.end(), is_of_email) &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '.' || c == '-'; });
}

Party read_party(DocumentReader& r) {
  Party party;
  read_address(r, party);
  constexpr const char* kVatId = "a tax number with its country such as \"DE123456789\"";
  party.vat_id = r.text("vat_id", kVatId, false);
  keep_if(is_vat_id(party.vat_id), party.vat_id, "vat_id", kVatId, r);
  constexpr const char* kEmail = "an address such as \"billing@example.net\"";
  party.email = r.text("email", kEmail, false);
  keep_if(is_email(party.email), party.email, "email", kEmail, r);
  return party;
}

Party read_party(const nlohmann::json& document, DocumentErrors& errors) {
  DocumentReader r(document, "", "a document", errors);
  return read_party(r);
}

void add_party(nlohmann::json& object, const Party& party) {
  const auto add = [](nlohmann::json& to, const char* name, const std::string& text) {
    if (!text.empty()) to[name] = text;
  };
  nlohmann::json address = nlohmann::json::object();
  add(address, "street", party.street);
  add(address, "postcode", party.postcode);
  add(address, "city", party.city);
  add(address, "country", party.country);
  if (!address.empty()) object["address"] = std::move(address);
  add(object, "vat_id", party.vat_id);
  add(object, "email", party.email);
}

}  // namespace anabranch::billing
