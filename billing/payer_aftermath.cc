// SPDX-License-Identifier: BSD-3-Clause
// What a processor knows of payments that the ledger does not: what became of them afterwards, and
// what a ledger that was restored from a backup forgot.
#include <fmt/format.h>

#include <algorithm>

#include "billing/payer.h"
#include "billing/payment_json.h"

namespace anabranch::billing {
namespace {

constexpr int64_t kFollowEachNs = 1800LL * 1'000'000'000;  // rounds come once an hour, or oftener
// Clocks differ, and lists may lag behind: what is found again is posted once all the same.
constexpr int64_t kOverlapNs = 48 * kFollowEachNs;

void add_entry(Transaction& t, const char* account, const std::string& currency, Amount amount) {
  if (amount == Amount()) return;
  for (Entry& e : t.entries) {
    if (e.account == account && e.currency == currency) {
      e.amount += amount;
      return;
    }
  }
  t.entries.push_back({account, currency, amount});
}

// In the currency that is disputed: an account of another one was charged what that is worth.
Amount moved_by(const CardDispute& d, const CardDispute::Move& move) {
  if (move.currency == d.currency) return move.amount;
  return move.amount < Amount() ? -d.amount : d.amount;
}

Transaction part_of(const Payment& p, const CardDispute& d, const std::string& what,
                    int64_t now_ns) {
  return {.id = "dispute:" + d.id + ":" + what,
          .wall_ns = now_ns,
          .purpose = "dispute",
          .party = p.account,
          .corrects = "payment:" + p.key,
          .entries = {}};
}

// The processor holds what is disputed, and keeps its fee.
Transaction move_of(const Payment& p, const CardDispute& d, const CardDispute::Move& move,
                    int64_t now_ns) {
  Transaction t = part_of(p, d, move.id, now_ns);
  const Amount moved = moved_by(d, move);
  add_entry(t, "dispute:cards", d.currency, -moved);
  add_entry(t, "fee:cards", move.currency, move.fee);
  add_entry(t, "cash:cards", d.currency, moved);
  add_entry(t, "cash:cards", move.currency, -move.fee);
  std::erase_if(t.entries, [](const Entry& e) { return e.amount == Amount(); });
  return t;
}

// What the client paid is not paid any more.
Transaction loss_of(const Payment& p, const CardDispute& d, Amount lost, int64_t now_ns) {
  Transaction t = part_of(p, d, "lost", now_ns);
  t.purpose = "lost in a dispute";
  t.entries = {{p.account, d.currency, lost}, {"dispute:cards", d.currency, -lost}};
  return t;
}

std::string note_of(const Payment& p, const Dispute& d) {
  const std::string what = name_of(p);
  if (d.state == DisputeState::open)
    return fmt::format("{} is disputed, {} {}: {} ({}); answer it at the processor", what,
                       to_text(d.amount), d.currency, d.reason, d.id);
  return fmt::format("{}: the dispute about {} {} is {} ({})", what, to_text(d.amount), d.currency,
                     kDisputeStateNames[static_cast<size_t>(d.state)], d.id);
}

bool is_charged(const Payment& p) {
  return p.kind == PaymentKind::card && p.now.state == PaymentState::succeeded &&
         !p.now.processor_id.empty();
}

}  // namespace

// By our key where it has one, else by the processor's ids.
Payer::Result<std::vector<Payment>> Payer::told_of(const CardEvent& event) const {
  std::map<std::string, Payment> all;
  const auto add = [&](const PaymentsWanted& wanted) -> Result<void> {
    const auto found = ledger_.payments(wanted);
    if (!found) return tl::unexpected(found.error().text);
    for (const Payment& p : *found) all[p.key] = p;
    return {};
  };
  if (!event.key.empty()) {
    if (auto added = add({.key = event.key}); !added) return tl::unexpected(added.error());
  }
  for (const std::string& id : event.ids) {
    if (auto added = add({.processor_id = id}); !added) return tl::unexpected(added.error());
  }
  std::vector<Payment> list;
  for (auto& [key, payment] : all) list.push_back(std::move(payment));
  return list;
}

Payer::Result<PayingReport> Payer::heard(const CardEvent& event, int64_t now_ns) {
  const auto known = told_of(event);
  if (!known) return tl::unexpected(known.error());
  PayingReport report;
  for (Payment p : *known) {
    if (!is_final(p.now.state)) {
      auto gone = go_on(p, now_ns, false);
      if (!gone) return tl::unexpected(gone.error());
      report.moved.push_back(*gone);
      p = std::move(*gone);
    }
    if (!event.is_of_aftermath || processor_ == nullptr) continue;
    if (p.kind == PaymentKind::refund) {
      auto of = stored(p.of);
      if (!of) return tl::unexpected(of.error());
      p = std::move(*of);
    }
    if (!is_charged(p)) continue;
    if (auto done = follow(p, now_ns, report); !done) return tl::unexpected(done.error());
  }
  return report;
}

// Of payments that somebody disputes or gave back since, and of disputes that are not decided.
Payer::Result<std::set<std::string>> Payer::to_follow(int64_t since_ns) const {
  const auto ids = processor_->followed_since(since_ns);
  if (!ids) return tl::unexpected(ids.error());
  std::set<std::string> keys;
  for (const std::string& id : *ids) {
    const auto found = ledger_.payments({.processor_id = id});
    if (!found) return tl::unexpected(found.error().text);
    for (const Payment& p : *found) {
      if (is_charged(p)) keys.insert(p.key);
    }
  }
  const auto disputes = ledger_.disputes("");
  if (!disputes) return tl::unexpected(disputes.error().text);
  for (const Dispute& d : *disputes) {
    if (d.state == DisputeState::open) keys.insert(d.payment);
  }
  return keys;
}

// Twice an hour at most; what events told of meanwhile is found again, and is no news.
void Payer::follow_all(int64_t now_ns, bool at_once, PayingReport& report) {
  if (processor_ == nullptr) return;
  const auto problem = [&](const std::string& what) { report.problems["cards"] = what; };
  const auto first = ledger_.first_charge();
  if (!first) return problem(first.error().text);
  if (!*first) return;  // nothing was ever charged
  const auto through = ledger_.followed_through();
  if (!through) return problem(through.error().text);
  const int64_t since = through->value_or(**first);
  if (*through && !at_once && now_ns >= since && now_ns - since < kFollowEachNs) return;
  const auto keys = to_follow(std::min(since, now_ns) - kOverlapNs);
  if (!keys) return problem(keys.error());
  for (const std::string& key : *keys) {
    const auto payment = stored(key);
    if (!payment) return problem(payment.error());
    if (auto done = follow(*payment, now_ns, report); !done) return problem(done.error());
  }
  if (auto kept = ledger_.set_followed_through(now_ns); !kept) problem(kept.error().text);
}

Payer::Result<void> Payer::follow(const Payment& payment, int64_t now_ns, PayingReport& report) {
  const auto refunds = processor_->refunds(payment.now.processor_id, payment.currency);
  if (!refunds) return tl::unexpected(refunds.error());
  for (const CardRefund& refund : *refunds) {
    if (auto done = follow_refund(payment, refund, now_ns, report); !done) return done;
  }
  const auto disputes = processor_->disputes(payment.now.processor_id);
  if (!disputes) return tl::unexpected(disputes.error());
  for (const CardDispute& dispute : *disputes) {
    if (auto done = follow_dispute(payment, dispute, now_ns, report); !done) return done;
  }
  return {};
}

// One of ours that is under way goes on; one that was made elsewhere, or that we forgot, is
// recorded; and a bank may give back what was to go back.
Payer::Result<void> Payer::follow_refund(const Payment& payment, const CardRefund& refund,
                                         int64_t now_ns, PayingReport& report) {
  const std::string& key = refund.key.empty() ? refund.id : refund.key;
  const auto known = ledger_.payments({.key = key});
  if (!known) return tl::unexpected(known.error().text);
  Payment p = known->empty() ? payment : known->front();
  PaymentStep step{.at_ns = now_ns,
                   .state = refund.is_void ? PaymentState::failed : PaymentState::succeeded,
                   .processor_id = refund.id};
  if (known->empty()) {
    if (refund.is_void) return {};
    p.key = key;
    p.kind = PaymentKind::refund;
    p.of = payment.key;
    p.amount = refund.amount;
    p.made_ns = now_ns;
    p.step = 1;
    p.now = std::move(step);
    p.now.detail = refund.key.empty() ? "made at the processor" : "found at the processor";
    const ToldPayment told[] = {{p, posting_of(p, now_ns)}};
    if (auto done = ledger_.record_payments(told, nullptr, {}); !done)
      return tl::unexpected(done.error().text);
    report.moved.push_back(std::move(p));
    return {};
  }
  if (!is_final(p.now.state)) {
    auto gone = go_on(p, now_ns, false);
    if (!gone) return tl::unexpected(gone.error());
    report.moved.push_back(std::move(*gone));
    return {};
  }
  if (p.now.state == step.state) return {};
  Transaction posted = posting_of(p, now_ns);
  if (refund.is_void) {
    posted.corrects = posted.id;
    posted.id += ":void";
    posted.purpose = "refund that came back";
    for (Entry& e : posted.entries) e.amount = -e.amount;
    step.detail = "it came back";
  }
  if (auto done = ledger_.step_payment(p, step, posted); !done)
    return tl::unexpected(done.error().text);
  ++p.step;
  p.now = std::move(step);
  report.moved.push_back(std::move(p));
  return {};
}

Payer::Result<void> Payer::follow_dispute(const Payment& payment, const CardDispute& dispute,
                                          int64_t now_ns, PayingReport& report) {
  if (dispute.currency != payment.currency)
    return tl::unexpected("dispute " + dispute.id + " is in " + dispute.currency +
                          ", and payment " + payment.key + " in " + payment.currency);
  const auto all = ledger_.disputes(payment.key);
  if (!all) return tl::unexpected(all.error().text);
  const auto known =
      std::find_if(all->begin(), all->end(), [&](const Dispute& d) { return d.id == dispute.id; });
  const bool is_news = known == all->end() ||
                       (known->state == DisputeState::open && dispute.state != DisputeState::open);
  std::vector<Transaction> posted;
  Amount taken;
  for (const CardDispute::Move& move : dispute.moves) {
    taken += -moved_by(dispute, move);
    posted.push_back(move_of(payment, dispute, move, now_ns));
  }
  const bool is_lost = is_news && dispute.state == DisputeState::lost;
  if (is_lost) posted.push_back(loss_of(payment, dispute, taken, now_ns));
  std::erase_if(posted, [](const Transaction& t) {
    return t.entries.empty() || t.entries.front().amount == Amount();
  });
  const Dispute next{.id = dispute.id,
                     .payment = payment.key,
                     .currency = dispute.currency,
                     .amount = is_lost ? taken : dispute.amount,
                     .state = dispute.state,
                     .reason = dispute.reason,
                     .at_ns = now_ns};
  if (auto done = ledger_.step_dispute(next, posted); !done)
    return tl::unexpected(done.error().text);
  if (is_news) report.notes.push_back(note_of(payment, next));
  return {};
}

// What the ledger knows is accounted for. What it does not is recorded in place of this payment,
// which is not made.
Payer::Result<std::optional<Payment>> Payer::paid_before(const Payment& payment,
                                                         const CardCharge& charge, int64_t now_ns) {
  if (payment.statement.empty()) return std::nullopt;
  const auto earlier = processor_->earlier(charge);
  if (!earlier) return tl::unexpected(earlier.error());
  std::vector<ToldPayment> told;
  for (const EarlierCharge& e : *earlier) {
    const auto known = ledger_.payments({.key = e.key});
    if (!known) return tl::unexpected(known.error().text);
    if (!known->empty()) continue;
    Payment p = payment;
    p.key = e.key;
    p.amount = e.amount;
    p.made_ns = e.made_ns != 0 ? e.made_ns : now_ns;
    p.step = 1;
    p.now = {.at_ns = now_ns,
             .next_ns = 0,
             .state = e.answer.state,
             .processor_id = e.answer.id,
             .detail = "found at the processor"};
    std::optional<Transaction> posted;
    if (p.now.state == PaymentState::succeeded) posted = posting_of(p, now_ns);
    told.push_back({std::move(p), std::move(posted)});
  }
  if (told.empty()) return std::nullopt;
  const PaymentStep instead{.at_ns = now_ns,
                            .state = PaymentState::failed,
                            .processor_id = {},
                            .detail = "not asked for: it is paid by " + told.front().payment.key};
  if (auto done = ledger_.record_payments(told, &payment, instead); !done)
    return tl::unexpected(done.error().text);
  return told.front().payment;
}

}  // namespace anabranch::billing
