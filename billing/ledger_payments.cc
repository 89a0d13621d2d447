// SPDX-License-Identifier: BSD-3-Clause
#include "billing/ledger_payments.h"

#include <algorithm>

#include "billing/ledger.h"

namespace anabranch::billing {
namespace {

using Mode = Store::Mode;

template <typename Enum>
Enum enum_named(const std::string& name, std::span<const char* const> names) {
  return static_cast<Enum>(std::find(names.begin(), names.end(), name) - names.begin());
}

const char* state_name(PaymentState state) {
  return kPaymentStateNames[static_cast<size_t>(state)];
}

const std::string kSelectPayments =
    "SELECT p.key, p.kind, p.account, p.issuer, p.statement, p.refund_of, p.currency, p.amount, "
    "p.customer, p.method, p.made_ns, s.step, s.at_ns, s.next_ns, s.state, s.processor_id, "
    "s.detail FROM payments p JOIN payment_steps s ON s.key = p.key AND s.step = (SELECT max(step) "
    "FROM payment_steps WHERE key = p.key) ";

Payment payment_of(const Row& r) {
  return {.key = r.text(0),
          .kind = enum_named<PaymentKind>(r.text(1), kPaymentKindNames),
          .account = r.text(2),
          .issuer = r.text(3),
          .statement = r.text(4),
          .of = r.is_null(5) ? "" : r.text(5),
          .currency = r.text(6),
          .amount = r.amount(7),
          .customer = r.text(8),
          .method = r.text(9),
          .made_ns = r.integer(10),
          .step = r.integer(11),
          .now = {.at_ns = r.integer(12),
                  .next_ns = r.integer(13),
                  .state = enum_named<PaymentState>(r.text(14), kPaymentStateNames),
                  .processor_id = r.text(15),
                  .detail = r.text(16)}};
}

// As it is now: its newest step.
const std::string kSelectDisputes =
    "SELECT id, payment, currency, amount, state, reason, at_ns, step FROM disputes d WHERE step = "
    "(SELECT max(step) FROM disputes WHERE id = d.id)";

Dispute dispute_of(const Row& r) {
  return {.id = r.text(0),
          .payment = r.text(1),
          .currency = r.text(2),
          .amount = r.amount(3),
          .state = enum_named<DisputeState>(r.text(4), kDisputeStateNames),
          .reason = r.text(5),
          .at_ns = r.integer(6)};
}

bool is_same(const Payment& a, const Payment& b) {
  return a.kind == b.kind && a.account == b.account && a.issuer == b.issuer &&
         a.statement == b.statement && a.of == b.of && a.currency == b.currency &&
         a.amount == b.amount && a.customer == b.customer && a.method == b.method;
}

Stored<void> insert_payment(Store& store, const Payment& payment) {
  return store.run("INSERT INTO payments VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                   payment.key, kPaymentKindNames[static_cast<size_t>(payment.kind)],
                   payment.account, payment.issuer, payment.statement,
                   payment.of.empty() ? std::nullopt : std::optional(payment.of), payment.currency,
                   payment.amount, payment.customer, payment.method, payment.made_ns);
}

Stored<void> insert_step(Store& store, const std::string& key, int64_t number,
                         const PaymentStep& step) {
  return store.run("INSERT INTO payment_steps VALUES($1, $2, $3, $4, $5, $6, $7)", key, number,
                   step.at_ns, step.next_ns, state_name(step.state), step.processor_id,
                   step.detail);
}

}  // namespace

Stored<void> Ledger::begin_payment(const Payment& payment, std::optional<int64_t> steps_seen) {
  return store_->transact(Mode::write, [&]() -> Stored<void> {
    const auto known = store_->query(kSelectPayments + "WHERE p.key = $1", payment.key);
    if (!known) return tl::unexpected(known.error());
    if (!known->empty()) {
      if (is_same(payment_of(known->front()), payment)) return {};
      return refused("payment \"" + payment.key + "\" is another one");
    }
    if (payment.kind == PaymentKind::card) {
      const auto open = store_->query(
          kSelectPayments +
              "WHERE p.kind = 'card' AND p.account = $1 AND s.state IN ('pending', 'unknown') AND "
              "(p.statement = '' OR $2 = '' OR (p.statement = $2 AND p.issuer = $3))",
          payment.account, payment.statement, payment.issuer);
      if (!open) return tl::unexpected(open.error());
      if (!open->empty())
        return refused((payment.statement.empty() ? "what " + payment.account + " owes"
                                                  : "statement " + payment.statement) +
                       " is being paid by " + open->front().text(0) + " already");
    }
    if (steps_seen) {
      const auto steps = store_->query(
          "SELECT count(*) FROM payment_steps s JOIN payments p ON p.key = s.key WHERE p.account = "
          "$1",
          payment.account);
      if (!steps) return tl::unexpected(steps.error());
      if (steps->front().integer(0) != *steps_seen)
        return refused(payment.account + " has paid meanwhile; look again");
    }
    return insert_payment(*store_, payment).and_then([&] {
      return insert_step(*store_, payment.key, 1, {.at_ns = payment.made_ns});
    });
  });
}

Stored<void> Ledger::post_new_here(const Transaction& transaction) {
  const auto known = find_here(transaction.id);
  if (!known) return tl::unexpected(known.error());
  if (*known) return refused("transaction \"" + transaction.id + "\" is posted already");
  const Transaction* one[] = {&transaction};
  if (auto done = post_here(one); !done) return tl::unexpected(done.error());
  return {};
}

Stored<void> Ledger::step_payment(const Payment& payment, const PaymentStep& step,
                                  const std::optional<Transaction>& posted) {
  return store_->transact(Mode::write, [&]() -> Stored<void> {
    const auto rows = store_->query(kSelectPayments + "WHERE p.key = $1", payment.key);
    if (!rows) return tl::unexpected(rows.error());
    if (rows->empty()) return refused("there is no payment \"" + payment.key + "\"");
    const Payment now = payment_of(rows->front());
    if (now.step == payment.step + 1 && now.now == step) return {};  // done already, by this call
    if (now.step != payment.step)
      return refused("payment \"" + payment.key + "\" has gone on meanwhile; look again");
    if (posted) {
      if (auto done = post_new_here(*posted); !done) return done;
    }
    return insert_step(*store_, payment.key, payment.step + 1, step);
  });
}

Stored<void> Ledger::record_payments(std::span<const ToldPayment> told, const Payment* instead,
                                     const PaymentStep& step) {
  return store_->transact(Mode::write, [&]() -> Stored<void> {
    for (const auto& [payment, posted] : told) {
      const auto known = store_->query(kSelectPayments + "WHERE p.key = $1", payment.key);
      if (!known) return tl::unexpected(known.error());
      if (!known->empty()) {
        const Payment there = payment_of(known->front());
        if (is_same(there, payment) && there.now == payment.now) return {};  // by this call
        return refused("payment \"" + payment.key + "\" is known meanwhile; look again");
      }
      if (posted) {
        if (auto done = post_new_here(*posted); !done) return done;
      }
      if (auto done = insert_payment(*store_, payment).and_then([&, &p = payment] {
            return insert_step(*store_, p.key, 1, p.now);
          });
          !done)
        return done;
    }
    if (instead == nullptr) return {};
    const auto now = store_->query(kSelectPayments + "WHERE p.key = $1", instead->key);
    if (!now) return tl::unexpected(now.error());
    if (now->empty() || payment_of(now->front()).step != instead->step)
      return refused("payment \"" + instead->key + "\" has gone on meanwhile; look again");
    return insert_step(*store_, instead->key, instead->step + 1, step);
  });
}

Stored<std::vector<Payment>> Ledger::payments(const PaymentsWanted& wanted) const {
  std::string sql = kSelectPayments + "WHERE 1 = 1";
  if (wanted.open_only) sql += " AND s.state IN ('pending', 'unknown')";
  const auto rows = store_->read(
      sql +
          " AND ($1 = '' OR p.account = $1) AND ($2 = '' OR p.issuer = $2) AND ($3 = '' OR "
          "p.statement = $3) AND ($4 = '' OR p.key = $4) AND ($5 = '' OR p.key IN (SELECT key FROM "
          "payment_steps WHERE processor_id = $5)) ORDER BY p.made_ns, p.key",
      wanted.account, wanted.issuer, wanted.statement, wanted.key, wanted.processor_id);
  if (!rows) return tl::unexpected(rows.error());
  const auto disputes = this->disputes(wanted.key);
  if (!disputes) return tl::unexpected(disputes.error());
  std::multimap<std::string, const Dispute*> of;
  for (const Dispute& d : *disputes) of.emplace(d.payment, &d);
  std::vector<Payment> all;
  for (const Row& r : *rows) {
    Payment p = payment_of(r);
    const auto [first, last] = of.equal_range(p.key);
    for (auto d = first; d != last; ++d) {
      p.is_disputed = p.is_disputed || d->second->state == DisputeState::open;
      if (d->second->state == DisputeState::lost) p.lost += d->second->amount;
    }
    all.push_back(std::move(p));
  }
  return all;
}

Stored<std::vector<Dispute>> Ledger::disputes(const std::string& payment) const {
  const auto rows =
      store_->read(kSelectDisputes + " AND ($1 = '' OR payment = $1) ORDER BY id", payment);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Dispute> all;
  for (const Row& r : *rows) all.push_back(dispute_of(r));
  return all;
}

Stored<void> Ledger::step_dispute(const Dispute& dispute, std::span<const Transaction> posted) {
  return store_->transact(Mode::write, [&]() -> Stored<void> {
    const auto known = store_->query(kSelectDisputes + " AND id = $1", dispute.id);
    if (!known) return tl::unexpected(known.error());
    std::vector<const Transaction*> all;
    for (const Transaction& t : posted) {
      const auto there = find_here(t.id);
      if (!there) return tl::unexpected(there.error());
      if (!*there)
        all.push_back(&t);
      else if ((*there)->second.entries != t.entries)
        return refused("transaction \"" + t.id + "\" is posted already, of other amounts");
    }
    if (!all.empty()) {
      if (auto done = post_here(all); !done) return tl::unexpected(done.error());
    }
    int64_t step = 1;
    if (!known->empty()) {
      const Dispute now = dispute_of(known->front());
      if (now.state != DisputeState::open || now.state == dispute.state) return {};
      step = known->front().integer(7) + 1;
    }
    return store_->run("INSERT INTO disputes VALUES($1, $2, $3, $4, $5, $6, $7, $8)", dispute.id,
                       step, dispute.payment, dispute.currency, dispute.amount,
                       kDisputeStateNames[static_cast<size_t>(dispute.state)], dispute.reason,
                       dispute.at_ns);
  });
}

Stored<std::optional<int64_t>> Ledger::first_charge() const {
  const auto rows = store_->read("SELECT min(made_ns) FROM payments WHERE kind = 'card'");
  if (!rows) return tl::unexpected(rows.error());
  return rows->front().is_null(0) ? std::nullopt : std::optional(rows->front().integer(0));
}

Stored<std::optional<int64_t>> Ledger::followed_through() const {
  const auto rows = store_->read("SELECT value FROM state WHERE name = 'cards-followed'");
  if (!rows) return tl::unexpected(rows.error());
  return rows->empty() ? std::nullopt : std::optional(rows->front().integer(0));
}

Stored<void> Ledger::set_followed_through(int64_t at_ns) {
  return store_->transact(Mode::write, [&] {
    return store_->run(
        "INSERT INTO state VALUES('cards-followed', $1) ON CONFLICT(name) DO UPDATE SET value = "
        "excluded.value",
        at_ns);
  });
}

}  // namespace anabranch::billing
