// SPDX-License-Identifier: BSD-3-Clause
// The ledger's money: charges become postings, postings become balances.
#include "billing/ledger.h"

namespace anabranch::billing {

using Status = Ledger::Status;

std::map<MeterKey, Ledger::Through> Ledger::charged() const {
  std::map<MeterKey, Through> all;
  Query q(db_,
          "SELECT region, service, worker, path, direction, kind, octets, packets FROM meters");
  while (q.step()) {
    const MeterKey key{.region = static_cast<uint64_t>(q.integer(0)),
                       .service = static_cast<uint64_t>(q.integer(1)),
                       .worker = static_cast<uint16_t>(q.integer(2)),
                       .path = static_cast<uint16_t>(q.integer(3)),
                       .direction = static_cast<Direction>(q.integer(4)),
                       .kind = static_cast<Kind>(q.integer(5))};
    all[key] = {static_cast<uint64_t>(q.integer(6)), static_cast<uint64_t>(q.integer(7))};
  }
  return all;
}

uint64_t Ledger::charged_sequence() const {
  Query q(db_, "SELECT value FROM state WHERE name = 'charged_sequence'");
  return q.step() ? static_cast<uint64_t>(q.integer(0)) : 0;
}

Status Ledger::post(std::span<const Charge> charges, const Tariff& house, uint64_t sequence,
                    int64_t wall_ns) {
  Transaction transaction(db_);
  if (!transaction.begun()) return transaction.begun();
  if (auto put = put_tariff(house); !put) return put;
  if (auto begun =
          Query(db_, "INSERT INTO transactions(wall_ns, sequence) VALUES(?, ?)", wall_ns, sequence)
              .run();
      !begun) {
    return begun;
  }
  const int64_t id = db_.last_id();
  for (const Charge& charge : charges) {
    if (auto posted = post_one(charge, house, id); !posted) return posted;
  }
  if (auto set =
          Query(db_, "UPDATE state SET value = ? WHERE name = 'charged_sequence'", sequence).run();
      !set)
    return set;
  Amount total;
  Query sum(db_, "SELECT amount FROM postings WHERE transaction_id = ?", id);
  while (sum.step()) total += parse_amount(sum.text(0)).value();
  if (total != Amount())
    return tl::unexpected<std::string>("ledger: a transaction does not add up to zero; not posted");
  return transaction.commit();
}

// Debit to who used it, credit to the provider that carried it.
Status Ledger::post_one(const Charge& charge, const Tariff& house, int64_t transaction) {
  const MeterKey& k = charge.key;
  std::string account = house_account();
  std::string tariff_id = house.id, tariff_version = house.version, currency = house.currency;
  if (k.service != kHouse) {
    const auto entry = service(k.service);
    if (!entry)
      return tl::unexpected("ledger: usage of service " + std::to_string(k.service) +
                            ", which was never opened");
    const auto priced_by = tariff(entry->tariff, entry->tariff_version);
    if (!priced_by) return tl::unexpected("ledger: tariff " + entry->tariff + " is not stored");
    account = client_account(entry->client);
    tariff_id = entry->tariff;
    tariff_version = entry->tariff_version;
    currency = priced_by->currency;
  }
  const auto direction = static_cast<int>(k.direction), kind = static_cast<int>(k.kind);
  if (auto r = Query(db_,
                     "INSERT INTO meters VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                     "octets = excluded.octets, packets = excluded.packets",
                     k.region, k.service, k.worker, k.path, direction, kind, charge.octets_through,
                     charge.packets_through)
                   .run();
      !r)
    return r;
  if (auto r =
          Query(db_,
                "INSERT INTO usage VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "octets = octets + excluded.octets, packets = packets + excluded.packets",
                account, k.service, k.path, direction, kind, tariff_id, tariff_version,
                charge.octets, charge.packets)
              .run();
      !r)
    return r;
  if (charge.amount == Amount()) return {};
  const auto carried_by = path(k.path);
  if (!carried_by)
    return tl::unexpected("ledger: path " + std::to_string(k.path) + " is not in the catalogue");
  const auto add = [&](const std::string& to, Amount amount) {
    return Query(db_,
                 "INSERT INTO postings(transaction_id, account, amount, currency, service, path, "
                 "direction, kind, "
                 "octets, tariff, tariff_version) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                 transaction, to, to_text(amount), currency, k.service, k.path, direction, kind,
                 charge.octets, tariff_id, tariff_version)
        .run();
  };
  if (auto debited = add(account, charge.amount); !debited) return debited;
  return add("provider:" + carried_by->provider, -charge.amount);
}

std::vector<UsageLine> Ledger::usage(const std::string& account) const {
  std::vector<UsageLine> lines;
  Query q(db_,
          "SELECT p.provider, p.name, u.direction, u.kind, u.tariff, u.tariff_version, "
          "sum(u.octets), sum(u.packets) "
          "FROM usage u JOIN paths p ON p.id = u.path WHERE u.account = ? "
          "GROUP BY p.provider, p.name, u.direction, u.kind, u.tariff, u.tariff_version "
          "ORDER BY p.provider, p.name, u.direction, u.kind, u.tariff, u.tariff_version",
          account);
  while (q.step()) {
    UsageLine line{q.text(0),
                   q.text(1),
                   static_cast<Direction>(q.integer(2)),
                   static_cast<Kind>(q.integer(3)),
                   q.text(4),
                   q.text(5),
                   static_cast<uint64_t>(q.integer(6)),
                   static_cast<uint64_t>(q.integer(7)),
                   {}};
    if (const auto priced_by = tariff(line.tariff, line.tariff_version)) {
      line.amount = priced_by->charge(line.provider, line.kind, line.octets).value_or(Amount());
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::map<std::string, Amount> Ledger::sum(const char* where, const std::string& account) const {
  std::map<std::string, Amount> sums;
  Query q(db_, (std::string("SELECT currency, amount FROM postings WHERE ") + where).c_str(),
          account);
  while (q.step()) sums[q.text(0)] += parse_amount(q.text(1)).value();
  return sums;
}

std::map<std::string, Amount> Ledger::balance(const std::string& account) const {
  return sum("account = ?", account);
}
std::map<std::string, Amount> Ledger::imbalance() const {
  return sum("?1 = ''", "");
}

}  // namespace anabranch::billing
