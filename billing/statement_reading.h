// SPDX-License-Identifier: BSD-3-Clause
// A statement's document, as its presentations read it. Texts are as they are in the document and
// must pass printable(); what is a number or a time here has been checked to be one.
//
// May be absent in a document: credits, balance, usage and days, what corrects and explains
// (corrects, passed, conversion, period, reason, percent, version), a line's tax, unit, octets,
// packets and tiers, of a credit all but its amount and description, of issuer and customer all but
// id and name, and until when to pay. Members that are not known are left alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

namespace anabranch::billing {

struct ReadStatement {
  using Decimal = std::string;  // "-4.90": at most 21 digits before the point and 18 behind it
  using Time = std::string;     // "2026-10-01T00:00:00+02:00"

  struct Party {
    std::string id, name;
    std::string street, postcode, city, country, vat_id, email;  // each may be empty
  };
  struct Window {
    Time from, to;  // both may be empty
  };
  struct Tax {
    std::string category, reason;
    Decimal percent;  // may be empty
  };
  struct Tier {
    Decimal quantity, price;
  };
  struct Conversion {
    std::string from, to, rates, date;
    Decimal of_from, of_to;
  };
  struct Line {
    std::string item, description, passed, unit;
    std::optional<uint64_t> octets, packets;
    std::vector<Tier> at;
    std::optional<Conversion> conversion;
    Decimal amount;
    Tax tax;
    std::string corrects;  // the number of a statement
    Window period;         // of that
  };
  struct Section {
    std::string provider;  // empty: the issuer
    std::vector<Line> lines;
    uint64_t octets = 0;
    Decimal subtotal;
  };
  struct Credit {
    std::string description, promise, promised, measured;
    std::optional<uint64_t> service, samples, missed;
    Window window;
    Decimal amount;
    Tax tax;
  };
  struct TaxTotal {
    Tax tax;
    Decimal net, due;
  };
  // How the account stands: before, with what moved since the last statement, and with this one.
  struct Moved {
    Time at;
    std::string what;
    Decimal amount;
  };
  struct Balance {
    Decimal before;
    std::vector<Moved> moved;
    Decimal now;
  };
  struct Usage {
    std::string provider, network, path, gateway, direction, kind;
    uint64_t octets = 0, packets = 0;
  };
  struct Day {
    std::string day;  // "2026-10-01"
    std::string provider;
    uint64_t sent = 0, received = 0;  // octets
  };

  std::string number;
  bool adjustment = false;
  std::vector<std::string> corrects;
  Party issuer, customer;
  std::optional<Party> payer;  // who is not the customer
  std::string payment_terms;   // may be empty
  std::string account, zone, currency, tariff, tariff_version;
  Time from, to, issued;
  bool itemised = false;
  std::vector<Section> sections;
  std::vector<Credit> credits;
  std::vector<TaxTotal> taxes;
  Decimal net, tax, gross;
  std::optional<Balance> balance;
  std::vector<Usage> usage;
  std::vector<Day> days;
};

// The error: the first member that is missing or is not as it should be, by its JSON pointer.
tl::expected<ReadStatement, std::string> read_statement(const nlohmann::json& document);

}  // namespace anabranch::billing
