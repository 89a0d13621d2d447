// SPDX-License-Identifier: BSD-3-Clause
// The ledger: who owes whom, in double entry, and everything billing must remember. SQLite.
//
// Postings are never changed or removed (the database refuses it), and every transaction adds up to
// zero. What has been charged of each meter is stored in the same database transaction as the
// postings, so usage is charged once however often it is delivered. Amounts are exact decimal text.
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/sqlite.h"
#include "billing/tariff.h"
#include "billing/usage.h"

namespace anabranch::billing {

inline constexpr uint64_t kHouse = 0;  // the "service" of what belongs to no client

struct ServiceEntry {
  uint64_t id = 0;
  std::string client;
  std::string tariff, tariff_version;
  std::string request;  // JSON, for whoever opened it
  int64_t opened_ns = 0;
  std::optional<int64_t> closed_ns;
  bool closed() const { return closed_ns.has_value(); }
};

struct PathEntry {
  std::string name, provider, network;
};

// Charged usage of one line: what statements are made of.
struct UsageLine {
  std::string provider, path;
  Direction direction = Direction::sent;
  Kind kind = Kind::first;
  std::string tariff, tariff_version;
  uint64_t octets = 0, packets = 0;
  Amount amount;  // exact
};

// A part of a charge: one meter's advance, priced.
struct Charge {
  MeterKey key;
  uint64_t octets = 0, packets = 0;
  uint64_t octets_through = 0, packets_through = 0;  // the meter is charged up to here
  Amount amount;
};

class Ledger {
 public:
  using Status = tl::expected<void, std::string>;
  struct Through {
    uint64_t octets = 0, packets = 0;
  };

  // `gateway` names the house account. The error: cannot be opened, or of a newer version.
  static tl::expected<Ledger, std::string> open(const std::string& file,
                                                const std::string& gateway);

  // The catalogue: the same three names always have the same id (from 1).
  tl::expected<uint16_t, std::string> path_id(const std::string& name, const std::string& provider,
                                              const std::string& network);
  std::optional<PathEntry> path(uint16_t id) const;

  // Ids are never used again.
  tl::expected<uint64_t, std::string> open_service(const std::string& client, const Tariff& tariff,
                                                   const std::string& request, int64_t wall_ns);
  Status close_service(uint64_t id, int64_t wall_ns);
  std::vector<ServiceEntry> services() const;
  std::optional<ServiceEntry> service(uint64_t id) const;

  Status put_tariff(const Tariff& tariff);
  std::optional<Tariff> tariff(const std::string& id, const std::string& version) const;

  // Documents that others keep here: one text for each kind and id.
  Status put_document(const std::string& kind, const std::string& id, const std::string& text);
  std::vector<std::pair<std::string, std::string>> documents(
      const std::string& kind) const;  // id, text

  // How far each meter is charged, and up to which frame of the journal.
  std::map<MeterKey, Through> charged() const;
  uint64_t charged_sequence() const;

  // All charges of journal frames up to `sequence`, in one transaction. `house` prices what belongs
  // to no client; other charges are by their service's tariff.
  Status post(std::span<const Charge> charges, const Tariff& house, uint64_t sequence,
              int64_t wall_ns);

  // An account is "client:<id>" or "house:<gateway>".
  std::string house_account() const { return "house:" + gateway_; }
  static std::string client_account(const std::string& client) { return "client:" + client; }
  std::vector<UsageLine> usage(const std::string& account) const;
  // The sum of an account's postings, by currency; what it owes is positive.
  std::map<std::string, Amount> balance(const std::string& account) const;
  // The sum over all postings of each currency: zero, always.
  std::map<std::string, Amount> imbalance() const;

 private:
  Ledger(Sqlite db, std::string gateway) : db_(std::move(db)), gateway_(std::move(gateway)) {}
  Status migrate();
  Status post_one(const Charge& charge, const Tariff& house, int64_t transaction);
  std::map<std::string, Amount> sum(const char* where, const std::string& account) const;

  Sqlite db_;
  std::string gateway_;
};

}  // namespace anabranch::billing
