// SPDX-License-Identifier: BSD-3-Clause
#include "billing/payment_desk.h"

#include <algorithm>
#include <utility>

#include "billing/payment_json.h"
#include "billing/wall_clock.h"

namespace anabranch::billing {
namespace {

constexpr size_t kWaitingMax = 10'000;

}  // namespace

tl::expected<std::unique_ptr<CardProcessor>, std::string> processor_of(const Ledger& ledger) {
  const auto issuers = ledger.documents("issuers");
  if (!issuers) return tl::unexpected(issuers.error());
  if (issuers->empty()) return nullptr;
  const auto issuer = parse_issuer(nlohmann::json::parse(issuers->front().second, nullptr, false));
  if (!issuer)
    return tl::unexpected("the document of issuer " + issuers->front().first + " is wrong");
  if (!issuer->cards) return nullptr;
  return open_processor(*issuer->cards);
}

PaymentDesk::PaymentDesk(std::string ledger, Notice notice)
    : ledger_(std::move(ledger)), notice_(std::move(notice)), thread_([this] { run(); }) {}

PaymentDesk::~PaymentDesk() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool PaymentDesk::post(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kWaitingMax) return false;
    waiting_.push_back(std::move(work));
  }
  wake_.notify_all();
  return true;
}

void PaymentDesk::heard(CardEvent event) {
  post([this, event = std::move(event)](const tl::expected<Payer*, std::string>& payer) {
    const auto report =
        payer ? (*payer)->heard(event, wall_now_ns()) : tl::unexpected(payer.error());
    if (!report) return tell("event " + event.id + " of the processor of cards: " + report.error());
    for (const std::string& note : in_words(*report)) tell(note);
  });
}

void PaymentDesk::tell(const std::string& what) {
  if (notice_) notice_(what);
}

void PaymentDesk::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    std::vector<Work> all = std::exchange(waiting_, {});
    lock.unlock();
    work_off(std::move(all));
    lock.lock();
  }
}

// One connection and one processor for as many as there are.
void PaymentDesk::work_off(std::vector<Work> all) {
  auto ledger = Ledger::open_existing(ledger_);
  auto processor = ledger ? processor_of(*ledger) : tl::unexpected(ledger.error());
  std::optional<Payer> payer;
  if (processor) payer.emplace(*ledger, processor->get());
  for (const Work& work : all) {
    work(payer ? tl::expected<Payer*, std::string>(&*payer) : tl::unexpected(processor.error()));
    const std::lock_guard lock(mutex_);
    if (ending_) return;
  }
}

}  // namespace anabranch::billing
