// SPDX-License-Identifier: BSD-3-Clause
#include "billing/ledger_settlement.h"

#include <fmt/format.h>

#include <algorithm>

#include "billing/ledger.h"

namespace anabranch::billing {
namespace {

using Mode = Store::Mode;

Int128 distance(Int128 a, Int128 b) {
  return a < b ? b - a : a - b;
}

// Multiplications stay far below 2^127: octets are below 2^64, amounts of a line below 10^33 attos,
// and a million is 2^20.
bool within(Int128 ours, Int128 theirs, uint32_t ppm) {
  return distance(ours, theirs) * 1'000'000 <= (ours < 0 ? -ours : ours) * ppm;
}

using Key = std::array<std::string, 3>;  // gateway, path, currency
struct Side {
  bool present = false;
  uint64_t octets = 0;
  Amount amount;
};
struct Sides {
  Side ours, theirs;
};

SettlementState state_of(const Sides& s, const Tolerance& tolerance) {
  if (!s.theirs.present) return SettlementState::not_claimed;
  if (!s.ours.present) return SettlementState::not_metered;
  const bool agreed = within(s.ours.octets, s.theirs.octets, tolerance.octets_ppm) &&
                      within(s.ours.amount.attos(), s.theirs.amount.attos(), tolerance.amount_ppm);
  return agreed ? SettlementState::agreed : SettlementState::disputed;
}

// Sums what lies within the period; what lies across its ends is counted.
Stored<void> gather(Store& store, const std::string& table, const std::string& amount,
                    const Settlement& about, Side Sides::*side, std::map<Key, Sides>& lines,
                    uint64_t& straddling) {
  const auto rows = store.query(
      "SELECT gateway, path, currency, sum(octets), amount_sum(" + amount + ") FROM " + table +
          " WHERE provider = $1 AND from_ns >= $2 AND to_ns <= $3 GROUP BY "
          "gateway, path, currency",
      about.provider, about.from_ns, about.to_ns);
  if (!rows) return tl::unexpected(rows.error());
  for (const Row& r : *rows)
    lines[{r.text(0), r.text(1), r.text(2)}].*side = {true, r.bits(3), r.amount(4)};
  const auto across =
      store.query("SELECT count(*) FROM " + table +
                      " WHERE provider = $1 AND from_ns < $2 AND to_ns > $3 AND NOT "
                      "(from_ns >= $3 AND to_ns <= $2)",
                  about.provider, about.to_ns, about.from_ns);
  if (!across) return tl::unexpected(across.error());
  straddling += across->front().bits(0);
  return {};
}

}  // namespace

Stored<void> Ledger::put_claims(const std::string& provider, const std::string& reference,
                                std::span<const ProviderClaim> claims, int64_t received_ns) {
  std::vector<std::vector<Value>> rows;
  for (const ProviderClaim& c : claims) {
    if (!minor_digits(c.currency) || c.from_ns >= c.to_ns || c.octets > INT64_MAX)
      return refused("claim " + reference + " of " + provider + ", line " +
                     std::to_string(rows.size() + 1) + ": its currency, time or octets are wrong");
    rows.push_back({provider, reference, rows.size() + 1, c.gateway, c.path, c.from_ns, c.to_ns,
                    c.octets, c.currency, c.amount, received_ns});
  }
  if (rows.empty()) return refused("claim " + reference + " of " + provider + " has no lines");
  return store_->transact(Mode::write, [&]() -> Stored<void> {
    const auto known = store_->query(
        "SELECT gateway, path, from_ns, to_ns, octets, currency, amount FROM claims WHERE provider "
        "= $1 AND reference = $2 ORDER BY line",
        provider, reference);
    if (!known) return tl::unexpected(known.error());
    if (known->empty()) {
      return store_->insert(
          {"INSERT INTO claims(provider, reference, line, gateway, path, from_ns, "
           "to_ns, octets, currency, amount, received_ns)"},
          rows);
    }
    const auto same = [](const Row& r, const ProviderClaim& c) {
      return r.text(0) == c.gateway && r.text(1) == c.path && r.integer(2) == c.from_ns &&
             r.integer(3) == c.to_ns && r.bits(4) == c.octets && r.text(5) == c.currency &&
             r.amount(6) == c.amount;
    };
    if (std::equal(known->begin(), known->end(), claims.begin(), claims.end(), same)) return {};
    return refused("claim " + reference + " of " + provider +
                   " is stored with another content; a corrected bill has a reference of its own");
  });
}

Stored<Settlement> Ledger::settle(const std::string& provider, int64_t from_ns, int64_t to_ns,
                                  const Tolerance& tolerance) const {
  Settlement report;
  const auto done = store_->transact(Mode::read, [&]() -> Stored<void> {
    report = {.provider = provider, .from_ns = from_ns, .to_ns = to_ns};
    std::map<Key, Sides> lines;
    if (auto r = gather(*store_, "provider_usage", "cost", report, &Sides::ours, lines,
                        report.straddling);
        !r)
      return r;
    if (auto r =
            gather(*store_, "claims", "amount", report, &Sides::theirs, lines, report.straddling);
        !r)
      return r;
    for (const auto& [key, s] : lines) {
      report.lines.push_back({key[0], key[1], key[2], s.ours.octets, s.theirs.octets, s.ours.amount,
                              s.theirs.amount, state_of(s, tolerance)});
    }
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return report;
}

bool Settlement::agreed() const {
  return straddling == 0 && std::all_of(lines.begin(), lines.end(), [](const SettlementLine& l) {
           return l.state == SettlementState::agreed;
         });
}

std::string to_text(const Settlement& s) {
  std::string out = "Settlement with " + s.provider + "\n";
  out += fmt::format("{:<12} {:<16} {:<4} {:>18} {:>18} {:>14} {:>14}  {}\n", "gateway", "path", "",
                     "octets metered", "octets claimed", "our cost", "claimed", "state");
  for (const SettlementLine& l : s.lines) {
    out += fmt::format("{:<12} {:<16} {:<4} {:>18} {:>18} {:>14} {:>14}  {}\n", l.gateway, l.path,
                       l.currency, l.metered_octets, l.claimed_octets, to_text(l.cost),
                       to_text(l.claimed), kSettlementStateNames[static_cast<size_t>(l.state)]);
  }
  if (s.straddling != 0)
    out += fmt::format("{} entries lie across the ends of this time and are not in it\n",
                       s.straddling);
  return out;
}

nlohmann::json to_json(const Settlement& s) {
  nlohmann::json lines = nlohmann::json::array();
  for (const SettlementLine& l : s.lines) {
    lines.push_back({{"gateway", l.gateway},
                     {"path", l.path},
                     {"currency", l.currency},
                     {"metered_octets", l.metered_octets},
                     {"claimed_octets", l.claimed_octets},
                     {"cost", to_text(l.cost)},
                     {"claimed", to_text(l.claimed)},
                     {"state", kSettlementStateNames[static_cast<size_t>(l.state)]}});
  }
  return {{"provider", s.provider}, {"from_ns", s.from_ns},       {"to_ns", s.to_ns},
          {"lines", lines},         {"straddling", s.straddling}, {"agreed", s.agreed()}};
}

}  // namespace anabranch::billing
