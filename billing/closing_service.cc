// SPDX-License-Identifier: BSD-3-Clause
#include "billing/closing_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "billing/card.h"
#include "billing/delivery.h"
#include "billing/mailing.h"
#include "billing/on_account.h"
#include "billing/payment_json.h"
#include "billing/wall_clock.h"

namespace anabranch::billing {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kEachNs = 60 * kSecondNs;                // after a problem, new documents
constexpr int64_t kCollectEach = 10;                       // times as long as it takes
constexpr int64_t kDeliveredNs = 40 * 86'400 * kSecondNs;  // older ones are left to the operator

void add(std::string& problems, const std::string& problem) {
  problems += (problems.empty() ? "" : "; ") + problem;
}

}  // namespace

ClosingService::ClosingService(ClosingServiceOptions options)
    : options_(std::move(options)), thread_([this] { run(); }) {}

ClosingService::~ClosingService() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

// The clock may be set while it waits, so it looks at it each minute.
void ClosingService::run() {
  std::unique_lock lock(mutex_);
  int64_t next_ns = 0;
  while (!ending_) {
    const int64_t now_ns = wall_now_ns();
    lock.unlock();
    if (now_ns >= next_ns || next_ns - now_ns > kDeliveredNs)
      next_ns = look(now_ns);
    else if (now_ns >= collect_ns_)
      collect_alone(now_ns);
    lock.lock();
    const int64_t rest_ns = std::min(next_ns, collect_ns_) - wall_now_ns();
    wake_.wait_for(lock, std::chrono::nanoseconds(std::clamp(rest_ns, kSecondNs, kEachNs)),
                   [this] { return ending_; });
  }
}

void ClosingService::tell(const std::string& what) {
  if (options_.notice) options_.notice(what);
}

int64_t ClosingService::look(int64_t now_ns) {
  auto ledger = Ledger::open(options_.ledger, options_.gateway);
  const auto report =
      ledger ? Closer(*ledger, options_.closing).run(now_ns) : tl::unexpected(ledger.error());
  std::string problems;
  int64_t next_mail_ns = INT64_MAX;
  if (report) {
    for (const ClosedAccount& c : report->closed) {
      for (const StoredStatement& s : c.statements)
        tell(fmt::format("statement {} of {} is issued to {}", s.name(), s.issuer, c.account));
    }
    for (const auto& [account, problem] : report->problems)
      add(problems, (account.empty() ? "journal" : account) + ": " + problem);
    collect_ns_ = collect(*ledger, now_ns, problems);
    next_mail_ns = send_out(*ledger, now_ns, problems);
  } else {
    problems = report.error();
  }
  if (!problems.empty() && problems != told_)
    tell("periods are not closed, or statements not delivered: " + problems);
  told_ = problems;
  if (!problems.empty()) return now_ns + kEachNs;
  return std::min({report->next_due_ns.value_or(INT64_MAX), next_mail_ns, now_ns + 60 * kEachNs});
}

void ClosingService::collect_alone(int64_t now_ns) {
  std::string problems;
  if (auto ledger = Ledger::open(options_.ledger, options_.gateway)) {
    collect_ns_ = collect(*ledger, now_ns, problems);
  } else {
    problems = ledger.error();
    collect_ns_ = now_ns + kEachNs;
  }
  if (!problems.empty() && problems != told_of_payments_) tell("payments: " + problems);
  told_of_payments_ = problems;
}

int64_t ClosingService::collect(Ledger& ledger, int64_t now_ns, std::string& problems) {
  const auto documents = BillingDocuments::read(ledger);
  std::unique_ptr<CardProcessor> processor;
  if (documents && documents->issuer().cards) {
    auto opened = open_processor(*documents->issuer().cards);
    if (opened)
      processor = std::move(*opened);
    else
      add(problems, "cards: " + opened.error());
  }
  Payer payer(ledger, processor.get());
  int64_t next_ns = INT64_MAX;
  const auto tell_of = [&](const Payer::Result<PayingReport>& report) {
    if (!report) {
      add(problems, "payments: " + report.error());
      next_ns = std::min(next_ns, now_ns + kEachNs);
      return;
    }
    for (const std::string& note : in_words(*report)) tell(note);
    for (const auto& [account, problem] : report->problems) add(problems, account + ": " + problem);
    next_ns = std::min(next_ns, report->next_ns.value_or(INT64_MAX));
  };
  tell_of(payer.run(now_ns));
  const int64_t begun_ns = wall_now_ns();
  tell_of(OnAccount(ledger, payer)
              .run(
                  [&](const std::set<std::string>& accounts) {
                    return Closer(ledger, options_.closing).unbilled(accounts, now_ns);
                  },
                  now_ns));
  // Who has come, and by what terms, nobody says.
  const int64_t ended_ns = wall_now_ns();
  return std::max(std::min(next_ns, ended_ns + kEachNs),
                  ended_ns + kCollectEach * (ended_ns - begun_ns));
}

int64_t ClosingService::send_out(Ledger& ledger, int64_t now_ns, std::string& problems) {
  const auto delivered = deliver(ledger, options_.statements, now_ns - kDeliveredNs);
  if (!delivered) add(problems, delivered.error());
  if (!options_.mail) return INT64_MAX;
  const auto mailed = send_mails(ledger, *options_.mail, now_ns - kDeliveredNs, wall_now_ns);
  if (!mailed) add(problems, mailed.error());
  for (const std::string& problem : mailed ? mailed->problems : std::vector<std::string>()) {
    if (mail_problems_.insert(problem).second) tell(problem);
  }
  return mailed ? mailed->next_ns.value_or(INT64_MAX) : now_ns + kEachNs;
}

}  // namespace anabranch::billing
