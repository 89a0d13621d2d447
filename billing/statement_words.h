// SPDX-License-Identifier: BSD-3-Clause
// What a statement's presentations for people say alike. Texts of the document are printable() in
// what these return; numbers are grouped by U+00A0, so that lines do not break within. Pure
// functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "billing/exact.h"
#include "billing/statement_reading.h"

namespace anabranch::billing {

// "-1234567.891" → "-1 234 567.891".
std::string grouped(std::string_view decimal);
std::string grouped(Uint128 number);
std::string decimal(Uint128 number);

// "2026-10-01 00:00 +02:00": as given, without seconds where there are none.
std::string time_words(const ReadStatement::Time& time);
std::string party_words(const ReadStatement::Party& party);  // "Acme GmbH (acme)"
std::string tax_words(const ReadStatement::Tax& tax);        // "S 19 %"; empty if there is none
std::string title(const ReadStatement& s);                   // "Statement 2026-000123"
std::string title(const ReadStatement& s, const ReadStatement::Section& section);
std::string title(const ReadStatement::Line& line);     // "mobile data (mobile, retail)"
std::string title(const ReadStatement::Usage& used);    // "mobile (airmobile, lte) at site-a"
std::string title(const ReadStatement::TaxTotal& tax);  // "tax S 19 % on 49.62"

std::string title(const ReadStatement::Moved& moved);  // "payment, 2026-10-14"
// "balance, EUR, to be paid", or in the client's favour.
std::string title(const ReadStatement& s, const ReadStatement::Balance& balance);

// Grouped; empty where a line, or all in a section, is not for octets.
std::string octets_words(const ReadStatement::Line& line);
std::string octets_words(const ReadStatement::Section& section);

// What explains an amount, a line each: tiers where charges are itemised, the exchange rate, the
// tax where a statement has several, the period that is corrected; the window that was measured.
std::vector<std::string> details(const ReadStatement& s, const ReadStatement::Line& line);
std::vector<std::string> details(const ReadStatement& s, const ReadStatement::Credit& credit);

struct UsageTotal {
  Uint128 octets = 0, packets = 0;
};
UsageTotal usage_total(const ReadStatement& s);
// Usage that follows each other and is of one path, each path's own.
std::vector<std::span<const ReadStatement::Usage>> by_path(const ReadStatement& s);

}  // namespace anabranch::billing
