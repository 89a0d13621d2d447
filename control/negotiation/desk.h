// SPDX-License-Identifier: BSD-3-Clause
// Asks providers, and puts every exchange on record.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "control/negotiation/exchange.h"

namespace anabranch::negotiation {

// A provider that we may ask, of its document.
struct Seller {
  std::string provider;
  Endpoint endpoint;
  bool approved = false;         // by the client's profile; others are never asked
  bool has_availability = true;  // it serves TMF645
};

struct Record {
  int64_t ended_ns = 0;  // UTC
  std::string provider, method, path;
  int status = 0;                             // or 0 and
  std::string failure;                        // why there is none
  std::string request_sha256, answer_sha256;  // of the bodies; empty where there was none
};

struct Clocks {
  std::function<Steady::time_point()> steady;
  std::function<int64_t()> wall_ns;
};

class Desk {
 public:
  // `record` may be empty; it is called on the thread that runs the exchange.
  Desk(Clocks clocks, const std::atomic<bool>* cancelled,
       std::function<void(const Record&)> record);

  void ask(const Seller& seller, Call call, Steady::time_point from, Steady::time_point until,
           Exchange::Then then);
  void run(Steady::time_point until, const std::function<bool()>& enough = {}) {
    exchange_.run(until, enough);
  }
  bool is_cancelled() const { return exchange_.is_cancelled(); }
  Steady::time_point now() const { return clocks_.steady(); }
  int64_t wall_ns() const { return clocks_.wall_ns(); }

 private:
  Clocks clocks_;
  std::function<void(const Record&)> record_;
  Exchange exchange_;
};

// Hexadecimal; of nothing, nothing.
std::string sha256_of(const std::string& text);
// "answered 503 \"too busy\" (50)"; "did not answer in time".
std::string answer_text(const Answer& answer);
inline bool is_success(const Answer& answer) {
  return answer.status >= 200 && answer.status < 300;
}
// It may go otherwise the next time.
inline bool may_be_retried(const Answer& answer) {
  return answer.status == 0 || answer.status == 429 || answer.status >= 500;
}

}  // namespace anabranch::negotiation
