// SPDX-License-Identifier: BSD-3-Clause
#include "billing/ledger_credit.h"

#include <algorithm>

#include "billing/ledger.h"

namespace anabranch::billing {
namespace {

using Mode = Store::Mode;

Stored<int64_t> closed_through_here(Store& store, const std::string& account) {
  return store
      .query("SELECT coalesce(max(to_ns), 0) FROM periods WHERE account = $1 AND state = 'closed'",
             account)
      .map([](const Rows& rows) { return rows.front().integer(0); });
}

Stored<Amount> credit_here(Store& store, const std::string& account, const std::string& currency) {
  return store
      .query(
          "SELECT amount_sum(amount) FROM postings WHERE account = $1 AND currency = $2 GROUP "
          "BY currency",
          account, currency)
      .map([](const Rows& rows) { return rows.empty() ? Amount() : -rows.front().amount(0); });
}

// At how many gateways the client has services that it may use.
Stored<int64_t> parts_here(Store& store, const std::string& account) {
  return store
      .query("SELECT count(DISTINCT gateway) FROM services WHERE client = $1 AND closed_ns IS NULL",
             Ledger::client_of(account))
      .map([](const Rows& rows) { return std::max<int64_t>(1, rows.front().integer(0)); });
}

}  // namespace

Stored<std::vector<Drawing>> Ledger::drawings_here(const std::string& account,
                                                   int64_t now_ns) const {
  const auto closed = closed_through_here(*store_, account);
  if (!closed) return tl::unexpected(closed.error());
  const auto rows = store_->query(
      "SELECT gateway, currency, from_ns, used, reserved, until_ns FROM drawings WHERE account = "
      "$1 ORDER BY gateway",
      account);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Drawing> all;
  for (const Row& r : *rows) {
    const bool counts = r.integer(2) >= *closed;
    all.push_back({.account = account,
                   .gateway = r.text(0),
                   .currency = r.text(1),
                   .from_ns = r.integer(2),
                   .used = counts ? r.amount(3) : Amount(),
                   .reserved = r.integer(5) > now_ns ? r.amount(4) : Amount(),
                   .until_ns = r.integer(5)});
  }
  return all;
}

Stored<std::vector<Drawing>> Ledger::drawings(const std::string& account, int64_t now_ns) const {
  std::vector<Drawing> all;
  const auto done = store_->transact(Mode::read, [&] {
    return drawings_here(account, now_ns).map([&](auto found) { all = std::move(found); });
  });
  if (!done) return tl::unexpected(done.error());
  return all;
}

Stored<Reservation> Ledger::reserve(const Drawing& wanted, int64_t now_ns, bool release) {
  Reservation found;
  const auto done = store_->transact(Mode::write, [&]() -> Stored<void> {
    found = {.until_ns = wanted.until_ns};
    const auto closed = closed_through_here(*store_, wanted.account);
    if (!closed) return tl::unexpected(closed.error());
    found.is_outdated = *closed > wanted.from_ns;
    const auto credit = credit_here(*store_, wanted.account, wanted.currency);
    const auto parts = parts_here(*store_, wanted.account);
    const auto all = drawings_here(wanted.account, now_ns);
    if (!credit || !parts || !all)
      return tl::unexpected(!credit ? credit.error() : !parts ? parts.error() : all.error());
    found.credit = *credit;
    for (const Drawing& d : *all) {
      if (d.gateway == wanted.gateway || d.currency != wanted.currency) continue;
      found.used += d.used;
      found.held += d.reserved;
    }
    if (found.is_outdated) return {};
    const Amount left = found.credit + -found.used + -found.held + -wanted.used;
    if (!release && left > Amount()) found.reserved = Amount::from_attos(left.attos() / *parts);
    return store_->run(
        "INSERT INTO drawings(account, gateway, currency, from_ns, used, reserved, until_ns) "
        "VALUES($1, $2, $3, $4, $5, $6, $7) ON CONFLICT(account, gateway) DO UPDATE SET currency = "
        "excluded.currency, from_ns = excluded.from_ns, used = excluded.used, reserved = "
        "excluded.reserved, until_ns = excluded.until_ns",
        wanted.account, wanted.gateway, wanted.currency, wanted.from_ns, wanted.used,
        found.reserved, wanted.until_ns);
  });
  if (!done) return tl::unexpected(done.error());
  return found;
}

}  // namespace anabranch::billing
