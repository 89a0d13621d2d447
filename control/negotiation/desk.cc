// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/desk.h"

#include <fmt/format.h>

#include "billing/sha256.h"
#include "control/negotiation/tmf.h"

namespace anabranch::negotiation {
std::string sha256_of(const std::string& text) {
  return text.empty() ? std::string() : billing::sha256(text);
}

Desk::Desk(Clocks clocks, const std::atomic<bool>* cancelled,
           std::function<void(const Record&)> record)
    : clocks_(std::move(clocks)),
      record_(std::move(record)),
      exchange_([this] { return clocks_.steady(); }, cancelled) {}

void Desk::ask(const Seller& seller, Call call, Steady::time_point from, Steady::time_point until,
               Exchange::Then then) {
  Record record{.provider = seller.provider,
                .method = call.method,
                .path = call.path,
                .request_sha256 = sha256_of(call.body)};
  exchange_.start(seller.endpoint, std::move(call), from, until,
                  [this, record = std::move(record), then = std::move(then)](const Answer& answer) {
                    if (record_ && answer.tried) {
                      Record full = record;
                      full.ended_ns = wall_ns();
                      full.status = answer.status;
                      full.failure = answer.failure;
                      full.answer_sha256 = sha256_of(answer.body);
                      record_(full);
                    }
                    then(answer);
                  });
}

std::string answer_text(const Answer& answer) {
  if (answer.status == 0) return answer.failure;
  return fmt::format("answered {} {}", answer.status, error_text(answer.body));
}

}  // namespace anabranch::negotiation
