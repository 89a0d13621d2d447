// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/order.h"

#include <algorithm>

#include "control/negotiation/moment.h"

namespace anabranch::negotiation {

tl::expected<std::string, std::string> Orders::place(const Quote& quote, bool is_last) {
  if (quote.valid_until_ns <= desk_.wall_ns())
    return tl::unexpected("was not asked again: its quote ended at " +
                          moment_text(quote.valid_until_ns));
  const auto now = desk_.now();
  if (now >= by_.ordered)
    return tl::unexpected(std::string("was not ordered from: no time was left"));
  const auto seller = std::find_if(sellers_.begin(), sellers_.end(),
                                   [&](const Seller& s) { return s.provider == quote.provider; });
  Attempt a{.quote = &quote, .seller = &*seller, .until = by_.ordered};
  if (!is_last) a.until = now + (by_.ordered - now) / 2;
  post(a, {});
  // Its calls end with it, so none refers to `a` afterwards.
  desk_.run(a.until, [&] { return a.decided; });
  if (!a.order.empty()) return a.order;
  return tl::unexpected(a.why);
}

void Orders::post(Attempt& a, std::chrono::milliseconds after) {
  Call call{"POST", order_path(), order_request(wish_, a.quote->provider, a.quote->id)};
  desk_.ask(*a.seller, std::move(call), desk_.now() + after, a.until,
            [this, &a](const Answer& answer) { got(a, answer); });
}

void Orders::poll(Attempt& a) {
  desk_.ask(*a.seller, {"GET", order_path(a.id), {}}, desk_.now() + kAskAgain, a.until,
            [this, &a](const Answer& answer) { got(a, answer); });
}

void Orders::got(Attempt& a, const Answer& answer) {
  a.asked = a.asked || answer.sent;
  if (!is_success(answer)) {
    const bool again =
        may_be_retried(answer) && desk_.now() + kAskAgain < a.until && !desk_.is_cancelled();
    // The same external id: one that made it already answers with the one that it made.
    if (again) return a.id.empty() ? post(a, kAskAgain) : poll(a);
    fail(a, "was ordered from, and " + answer_text(answer));
    if (!a.id.empty() || (a.asked && may_be_retried(answer))) cancel(a, a.id);
    return;
  }
  const auto reading = read_order(answer.body, wish_, *a.quote, desk_.wall_ns());
  if (!reading) {
    fail(a, "was ordered from, and did not take the order: " + to_text(reading.error()));
    if (!reading.error().is_over) cancel(a, a.id.empty() ? reading.error().id : a.id);
  } else if (const auto* pending = std::get_if<Pending>(&*reading)) {
    a.id = pending->id;
    poll(a);
  } else {
    a.order = std::get<Ordered>(*reading).id;
    a.decided = true;
  }
}

void Orders::fail(Attempt& a, const std::string& why) {
  a.decided = true;
  a.why = why;
}

void Orders::cancel(const Attempt& a, const std::string& id) {
  const int64_t now_ns = desk_.wall_ns();
  // An order of which we know nothing does not end by itself: it is looked for until its provider
  // says that there is none.
  releases_.add({.provider = a.quote->provider,
                 .kind = Open::Kind::order,
                 .id = id,
                 .external_id = external_id(wish_, a.quote->provider),
                 .settled_ns = id.empty() ? now_ns + kSettlesAfterNs : now_ns});
}

}  // namespace anabranch::negotiation
