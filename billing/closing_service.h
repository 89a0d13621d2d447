// SPDX-License-Identifier: BSD-3-Clause
// Closes periods when they are due, delivers and mails their statements, on a thread of its own
// with a connection to the ledger of its own: whoever journals or opens services does not wait for
// it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "billing/closing.h"
#include "billing/mail_options.h"
#include "billing/payer.h"

namespace anabranch::billing {

struct ClosingServiceOptions {
  std::string ledger;   // a file or "postgresql://…"
  std::string gateway;  // whose; or empty
  ClosingOptions closing;
  std::string statements;           // folder for what is delivered
  std::optional<MailOptions> mail;  // none: nothing is mailed
  // What an operator should know, on that thread: statements issued, accounts that cannot be
  // closed. The same problem is told once.
  std::function<void(const std::string&)> notice;
};

class ClosingService {
 public:
  explicit ClosingService(ClosingServiceOptions options);
  // Waits for a closing under way.
  ~ClosingService();

 private:
  void run();
  // When to look again.
  int64_t look(int64_t now_ns);
  // Each adds what is wrong to `problems`, and returns when there is more to do.
  int64_t collect(Ledger& ledger, int64_t now_ns, std::string& problems);
  void collect_alone(int64_t now_ns);
  int64_t send_out(Ledger& ledger, int64_t now_ns, std::string& problems);
  void tell(const std::string& what);

  ClosingServiceOptions options_;
  std::string told_, told_of_payments_;  // problems
  int64_t collect_ns_ = INT64_MAX;       // when there is more to do of payments
  std::set<std::string> mail_problems_;  // told already
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace anabranch::billing
