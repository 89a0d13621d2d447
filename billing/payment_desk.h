// SPDX-License-Identifier: BSD-3-Clause
// Payments between the rounds of whoever closes periods: what a processor tells of, and what
// somebody wants done now. On a thread of its own, with a connection to the ledger of its own that
// is made when there is something to do: whoever hands over does not wait for disks or processors.
//
// What is handed over is not kept: when it ends before its turn, the next round finds it in the
// ledger, or at the processor.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <tl/expected.hpp>

#include "billing/card_events.h"
#include "billing/payer.h"

namespace anabranch::billing {

// By the document of the ledger's issuer; nullptr where it says nothing of cards.
tl::expected<std::unique_ptr<CardProcessor>, std::string> processor_of(const Ledger& ledger);

class PaymentDesk {
 public:
  using Notice = std::function<void(const std::string&)>;
  // Why there is no payer, or the payer, on the desk's thread.
  using Work = std::function<void(const tl::expected<Payer*, std::string>&)>;

  // `ledger`: a file or "postgresql://…". `notice`: what an operator should know, on that thread.
  PaymentDesk(std::string ledger, Notice notice);
  // Waits for what is under way; what waits for its turn is left.
  ~PaymentDesk();

  // Any thread. An event is dropped when far too many wait.
  void heard(CardEvent event);
  // False: too many wait.
  bool post(Work work);

 private:
  void run();
  void work_off(std::vector<Work> all);
  void tell(const std::string& what);

  const std::string ledger_;
  const Notice notice_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::vector<Work> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace anabranch::billing
