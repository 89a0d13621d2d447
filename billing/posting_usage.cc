// SPDX-License-Identifier: BSD-3-Clause
// Continuous charging: what each flush of the journal comes to is posted at once.
#include <algorithm>

#include "billing/ledger.h"
#include "billing/ledger_rows.h"

namespace anabranch::billing {
namespace {

using Status = Ledger::Status;
using Mode = Store::Mode;

// What prices a service's usage, and whose it is.
struct Priced {
  std::string account, tariff, tariff_version, currency;
};

Stored<Priced> priced_by(Store& store, const std::string& gateway, uint64_t service) {
  const auto rows = store.query(
      "SELECT s.client, s.tariff, s.tariff_version, t.text FROM services s JOIN tariffs t ON t.id "
      "= "
      "s.tariff AND t.version = s.tariff_version WHERE s.gateway = $1 AND s.id = $2",
      gateway, service);
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty())
    return refused("ledger: usage of service " + std::to_string(service) +
                   ", which was never opened");
  const Row& r = rows->front();
  const auto tariff = parse_tariff(nlohmann::json::parse(r.text(3), nullptr, false));
  if (!tariff) return refused("ledger: tariff " + r.text(1) + " is not understood");
  return Priced{Ledger::client_account(r.text(0)), r.text(1), r.text(2), tariff->currency};
}

Stored<std::string> provider_of(Store& store, const std::string& gateway, uint16_t path) {
  const auto rows =
      store.query("SELECT provider FROM paths WHERE gateway = $1 AND id = $2", gateway, path);
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty())
    return refused("ledger: path " + std::to_string(path) + " is not in the catalogue");
  return rows->front().text(0);
}

// Debit to who used it, credit to the provider that carried it.
using Sums = std::map<std::string, std::map<std::pair<std::string, std::string>, Amount>>;
std::vector<Transaction> transactions_of(const Sums& sums, const std::string& id, int64_t wall_ns) {
  std::vector<Transaction> all;
  for (const auto& [account, by_provider] : sums) {
    Transaction t{
        .id = id + ":" + account, .wall_ns = wall_ns, .purpose = "usage", .party = account};
    std::map<std::string, Amount> debits;
    for (const auto& [key, amount] : by_provider) {
      const auto& [provider, currency] = key;
      t.entries.push_back({"revenue:" + provider, currency, -amount});
      debits[currency] += amount;
    }
    for (const auto& [currency, amount] : debits) t.entries.push_back({account, currency, amount});
    all.push_back(std::move(t));
  }
  return all;
}

}  // namespace

std::map<MeterKey, Ledger::Through> Ledger::charged() const {
  std::map<MeterKey, Through> all;
  const auto meters = watermarks(gateway_);
  if (!meters) return all;  // the rules of the table refuse what would be charged again
  for (const Watermark& w : *meters) all[w.key] = {w.octets_to, w.packets_to};
  return all;
}

uint64_t Ledger::charged_sequence() const {
  const auto rows = store_->read("SELECT value FROM state WHERE name = $1", "charged:" + gateway_);
  return rows && !rows->empty() ? rows->front().bits(0) : 0;
}

Status Ledger::post(std::span<const Charge> charges, const Tariff& house, uint64_t sequence,
                    int64_t wall_ns) {
  const std::string state = "charged:" + gateway_;
  const auto work = [&]() -> Stored<void> {
    const auto last = store_->query("SELECT value FROM state WHERE name = $1", state);
    if (!last) return tl::unexpected(last.error());
    if (!last->empty() && last->front().bits(0) >= sequence) return {};
    if (auto put = put_tariff_here(house); !put) return put;
    std::map<uint64_t, Priced> services{
        {kHouse, {house_account(), house.id, house.version, house.currency}}};
    std::map<uint16_t, std::string> providers;
    std::vector<std::vector<Value>> meters, used;
    Sums sums;
    for (const Charge& c : charges) {
      const MeterKey& k = c.key;
      if (!services.contains(k.service)) {
        auto priced = priced_by(*store_, gateway_, k.service);
        if (!priced) return tl::unexpected(priced.error());
        services.emplace(k.service, std::move(*priced));
      }
      if (!providers.contains(k.path)) {
        auto provider = provider_of(*store_, gateway_, k.path);
        if (!provider) return tl::unexpected(provider.error());
        providers.emplace(k.path, std::move(*provider));
      }
      const Priced& by = services.at(k.service);
      meters.push_back(row_of({.gateway = gateway_,
                               .key = k,
                               .octets_from = c.octets_through - c.octets,
                               .packets_from = c.packets_through - c.packets,
                               .octets_to = c.octets_through,
                               .packets_to = c.packets_through}));
      if (auto r = store_->run(
              "INSERT INTO usage VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON "
              "CONFLICT(gateway, "
              "account, service, path, direction, kind, tariff, tariff_version) DO UPDATE SET "
              "octets "
              "= usage.octets + excluded.octets, packets = usage.packets + excluded.packets",
              gateway_, by.account, k.service, k.path, static_cast<int>(k.direction),
              static_cast<int>(k.kind), by.tariff, by.tariff_version, c.octets, c.packets);
          !r)
        return r;
      if (c.amount != Amount()) sums[by.account][{providers.at(k.path), by.currency}] += c.amount;
    }
    const auto transactions =
        transactions_of(sums, "usage:" + gateway_ + ":" + std::to_string(sequence), wall_ns);
    std::vector<const Transaction*> all;
    for (const Transaction& t : transactions) all.push_back(&t);
    return store_->insert(kIntoMeters, meters)
        .and_then([&] { return post_here(all); })
        .and_then([&](const auto&) {
          return store_->run(
              "INSERT INTO state VALUES($1, $2) ON CONFLICT(name) DO UPDATE SET value = "
              "excluded.value",
              state, sequence);
        });
  };
  return store_->transact(Mode::write, work).map_error(sentence);
}

std::vector<UsageLine> Ledger::usage(const std::string& account) const {
  std::vector<UsageLine> lines;
  const auto rows = store_->read(
      "SELECT p.provider, p.name, u.direction, u.kind, u.tariff, u.tariff_version, sum(u.octets), "
      "sum(u.packets) FROM usage u JOIN paths p ON p.gateway = u.gateway AND p.id = u.path WHERE "
      "u.account = $1 GROUP BY p.provider, p.name, u.direction, u.kind, u.tariff, u.tariff_version",
      account);
  if (!rows) return lines;
  std::map<std::pair<std::string, std::string>, std::optional<Tariff>> tariffs;
  for (const Row& r : *rows) {
    UsageLine line{.provider = r.text(0),
                   .path = r.text(1),
                   .direction = static_cast<Direction>(r.integer(2)),
                   .kind = static_cast<Kind>(r.integer(3)),
                   .tariff = r.text(4),
                   .tariff_version = r.text(5),
                   .octets = r.bits(6),
                   .packets = r.bits(7)};
    const std::pair key{line.tariff, line.tariff_version};
    if (!tariffs.contains(key)) tariffs[key] = tariff(line.tariff, line.tariff_version);
    if (const auto& by = tariffs[key])
      line.amount = by->charge(line.provider, line.kind, line.octets).value_or(Amount());
    lines.push_back(std::move(line));
  }
  const auto order = [](const UsageLine& l) {
    return std::tie(l.provider, l.path, l.direction, l.kind, l.tariff, l.tariff_version);
  };
  std::sort(lines.begin(), lines.end(),
            [&](const UsageLine& a, const UsageLine& b) { return order(a) < order(b); });
  return lines;
}

}  // namespace anabranch::billing
