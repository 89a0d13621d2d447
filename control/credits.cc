// SPDX-License-Identifier: BSD-3-Clause
#include "control/credits.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "billing/ledger.h"

namespace anabranch::control {
namespace {

using billing::Amount;

constexpr auto kLookLeast = std::chrono::seconds(5);  // and ten times what a look takes
constexpr auto kSoonest = std::chrono::seconds(1);    // where somebody waits for it
constexpr auto kUntil = std::chrono::minutes(10);     // as billing/credit.cc reserves

Amount of_client(const Credits::Spent& spent, const std::string& client) {
  const auto found = spent.find(client);
  return found == spent.end() ? Amount() : found->second;
}

billing::Standing standing_when_used_up(const std::string& account,
                                        const billing::PaymentTerms& terms) {
  const bool slows = terms.used_up == billing::WhenUsedUp::slow;
  billing::Standing standing;
  standing.account = account;
  standing.then = slows ? billing::WhenOverdue::restrict : billing::WhenOverdue::suspend;
  standing.restrict_kbps = terms.slow_kbps;
  return standing;
}

// In kbit/s; suspended is less than any.
uint64_t left_by(const billing::Standing& s) {
  if (s.then == billing::WhenOverdue::nothing) return UINT64_MAX;
  return s.then == billing::WhenOverdue::suspend ? 0 : s.restrict_kbps;
}

}  // namespace

Credits::ByClient stricter(const Credits::ByClient& a, const Credits::ByClient& b) {
  Credits::ByClient both = a;
  for (const auto& [client, standing] : b) {
    const auto [at, is_new] = both.try_emplace(client, standing);
    if (!is_new && left_by(standing) < left_by(at->second)) at->second = standing;
  }
  return both;
}

void Credits::tick(const Spent& spent, Clock::time_point now) {
  if (looking_.valid()) {
    if (looking_.wait_for(std::chrono::seconds(0)) != std::future_status::timeout) {
      const auto report = looking_.get();
      const auto took = now - began_;
      look_at_ = now + kLookLeast;
      if (is_pricing_) price_at_ = now + std::max<Clock::duration>(kLookLeast, 10 * took);
      if (report) take(*report);
      tell(report);
    }
  } else if (is_wanted(spent, now)) {
    begin(spent, now);
  }
  judge(spent, now);
}

void Credits::tell(const tl::expected<billing::CreditReport, std::string>& report) {
  std::string problem = report ? "" : report.error();
  if (report) {
    for (const auto& [account, what] : report->problems) problem += account + ": " + what + "; ";
  }
  if (!problem.empty() && problem != told_)
    spdlog::warn("what was paid ahead is not known: {}", problem);
  told_ = problem;
}

// At once where a client has just come, and soon where one waits for its payment to be seen.
bool Credits::is_wanted(const Spent& spent, Clock::time_point now) const {
  if (now >= look_at_) return true;
  if (now < look_at_ - kLookLeast + kSoonest) return false;
  const bool is_new = std::any_of(spent.begin(), spent.end(), [&](const auto& s) {
    return !spent_at_begin_.contains(s.first);
  });
  return is_new || !used_up_.empty();
}

void Credits::begin(const Spent& spent, Clock::time_point now) {
  is_pricing_ = now >= price_at_;
  Asked asked;
  const auto ask = [&](const std::string& client) {
    billing::CreditAsked& one = asked[billing::Ledger::client_account(client)];
    one.has_services = spent.contains(client);
    const auto known = clients_.find(client);
    if (known == clients_.end() || is_pricing_ || !one.has_services) return;
    one.used = known->second.credit.used;
    one.since = of_client(spent, client) + -known->second.spent_at_pricing;
  };
  for (const auto& [client, amount] : spent) ask(client);
  for (const auto& [client, credit] : clients_) ask(client);
  spent_at_begin_ = spent;
  began_ = now;
  if (asked.empty()) {
    look_at_ = now + kLookLeast;
    return;
  }
  looking_ = std::async(how_, [look = look_, asked = std::move(asked)] { return look(asked); });
}

Amount Credits::began_with(const std::string& client) const {
  return of_client(spent_at_begin_, client);
}

// Who has no services here any more has said so now, and is forgotten.
void Credits::take(const billing::CreditReport& report) {
  std::erase_if(clients_, [&](const auto& known) {
    const std::string account = billing::Ledger::client_account(known.first);
    const bool has_problem = report.problems.contains(account);
    return !spent_at_begin_.contains(known.first) ||
           (!has_problem && !report.accounts.contains(account));
  });
  for (const auto& [account, credit] : report.accounts) {
    const std::string client = billing::Ledger::client_of(account);
    if (!spent_at_begin_.contains(client)) continue;
    Client& known = clients_[client];
    known.credit = credit;
    if (credit.is_priced) known.spent_at_pricing = began_with(client);
    known.spent_at_look = began_with(client);
    known.until = began_ + kUntil;
    known.is_used_up = false;
  }
}

// Once used up it is so until somebody has looked again.
void Credits::judge(const Spent& spent, Clock::time_point now) {
  ByClient all;
  for (auto& [client, known] : clients_) {
    const Amount since = of_client(spent, client) + -known.spent_at_look;
    known.is_used_up =
        known.is_used_up || since >= known.credit.reservation.reserved || now >= known.until;
    if (!known.is_used_up) continue;
    const std::string account = billing::Ledger::client_account(client);
    all[client] = standing_when_used_up(account, known.credit.terms);
  }
  if (all == used_up_) return;
  used_up_ = std::move(all);
  changed_(used_up_);
}

}  // namespace anabranch::control
