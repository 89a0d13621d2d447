// SPDX-License-Identifier: BSD-3-Clause
// What closing a period stores: all of it in one transaction, or nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "billing/ledger_posting.h"
#include "billing/period.h"
#include "billing/usage.h"

namespace anabranch::billing {

enum class PeriodState { open, closing, closed };

// A meter's advance that is charged now. It must begin where the meter is charged to already (zero
// for a new one), or nothing is closed: so no octet is charged twice or left out.
struct Watermark {
  std::string gateway;
  MeterKey key;
  uint64_t octets_from = 0, packets_from = 0;
  uint64_t octets_to = 0, packets_to = 0;
};

// A statement that has no number yet. A series counts from 1, for each issuer, without gaps.
struct StatementDraft {
  std::string issuer;
  std::string series;       // such as "2026"
  nlohmann::json document;  // gets "number": "2026-000123", and "balance" if asked for

  // For all statements of a period, or none. How the account stands: what this one adds to it, and
  // in whose time it is told what else has moved since the last one.
  struct Balance {
    std::string currency;
    Amount gross;
    Zone zone = Zone::utc();
  };
  std::optional<Balance> balance;
};

struct StoredStatement {
  std::string issuer, series;
  int64_t number = 0;
  std::string previous_hash;  // of the one before in its series; empty for the first
  std::string hash;           // SHA-256 of previous_hash, a line feed and the document
  std::string account;
  int64_t from_ns = 0, to_ns = 0, issued_ns = 0;
  std::string document;      // as it was issued, JSON
  std::string name() const;  // "2026-000123"
};
// nullptr: there is none.
const StoredStatement* find_statement(std::span<const StoredStatement> among,
                                      const std::string& issuer, const std::string& name);
std::string statement_hash(const std::string& previous_hash, const std::string& document);

// What we owe a provider for a stretch of time, by its own tariff. Kept by day (or whatever a
// provider's bill is itemised by), so that it can be compared with what the provider claims.
struct ProviderUsage {
  std::string provider, gateway, path;
  int64_t from_ns = 0, to_ns = 0;
  uint64_t octets = 0;
  std::string currency;
  Amount cost;
};

// A document that is to be there when the period is closed, such as the usage it was priced by.
struct DocumentDraft {
  std::string kind, id, text;
  int64_t valid_from_ns = 0;
};

struct ClosedPeriod {
  std::string account;
  int64_t from_ns = 0, to_ns = 0;                            // half-open
  int64_t closed_ns = 0;                                     // now
  std::vector<std::pair<std::string, std::string>> tariffs;  // used: id, version
  std::vector<Transaction> transactions;
  std::vector<StatementDraft> statements;
  std::vector<Watermark> watermarks;
  std::vector<ProviderUsage> provider_usage;
  std::vector<DocumentDraft> documents;
};

struct Closing {
  // It was there already, and nothing was stored: closed before, or by this call itself when the
  // answer of the database was lost and looked up.
  bool repeated = false;
  bool same = true;  // what was closed before is what was given now
  std::vector<StoredStatement> statements;
};

struct PeriodEntry {
  std::string account;
  int64_t from_ns = 0, to_ns = 0;
  PeriodState state = PeriodState::open;
  std::vector<std::pair<std::string, std::string>> tariffs;
  int64_t closed_ns = 0;
};

// A minute of a service ("service:<gateway>:<id>") or path ("path:<gateway>:<name>"), for what a
// service level agreement promises.
struct Measurement {
  std::string subject;
  int64_t minute_ns = 0;  // its start
  uint32_t rtt_us = 0, loss_ppm = 0, available_ppm = 0;
};

}  // namespace anabranch::billing
