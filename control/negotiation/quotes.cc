// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/quotes.h"

#include <algorithm>

#include "control/negotiation/moment.h"

namespace anabranch::negotiation {
namespace {

constexpr uint32_t kAttemptsMax = 3;
// One of which we know nothing is looked for as long as the longest validity that is usual.
constexpr int64_t kForgottenAfterNs = 86'400 * kSecondNs;

}  // namespace

Quotes::Quotes(const Wish& wish, const std::vector<Seller>& sellers, Desk& desk,
               const Deadlines& by, Releases& releases, std::vector<Told>& told)
    : wish_(wish), desk_(desk), by_(by), releases_(releases), told_(told) {
  told_.clear();
  told_.resize(sellers.size());
  for (size_t i = 0; i < sellers.size(); ++i) {
    told_[i].provider = sellers[i].provider;
    contenders_.push_back({&sellers[i], &told_[i]});
  }
}

void Quotes::collect() {
  for (Contender& c : contenders_) {
    if (!c.seller->approved)
      out(c, "was not asked: the profile does not approve of it");
    else if (c.seller->has_availability)
      ask_availability(c);
    else
      ask_quote(c);
  }
  desk_.run(by_.quoted, [this] {
    return std::all_of(contenders_.begin(), contenders_.end(),
                       [](const Contender& c) { return c.decided; });
  });
  closed_ = true;
  for (Contender& c : contenders_) {
    if (c.decided) continue;
    out(c, c.quote_id.empty() ? "did not answer in time" : "did not decide in time");
    // Of the one whose answer is under way the id is learnt from that, or by looking it up.
    if (!c.quote_id.empty()) let_go(c, c.quote_id, true);
  }
}

size_t Quotes::place(const Quote& quote) const {
  const auto found = std::find_if(told_.begin(), told_.end(),
                                  [&](const Told& t) { return t.provider == quote.provider; });
  return static_cast<size_t>(found - told_.begin());
}

void Quotes::ask(Contender& c, Call call, Got got, std::chrono::milliseconds after) {
  const bool makes_quote = call.method == "POST" && got == &Quotes::got_quote;
  // An answer that makes a quote is waited for to the end, so that it can be released.
  const auto until = makes_quote ? by_.released : by_.quoted;
  desk_.ask(*c.seller, std::move(call), desk_.now() + after, until,
            [this, &c, got](const Answer& answer) { (this->*got)(c, answer); });
}

void Quotes::ask_availability(Contender& c) {
  ask(c, {"POST", availability_path(), availability_request(wish_, c.seller->provider)},
      &Quotes::got_availability, c.attempts == 0 ? std::chrono::milliseconds(0) : kAskAgain);
}

void Quotes::ask_quote(Contender& c) {
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(by_.quoted - desk_.now());
  const int64_t answer_by_ns = desk_.wall_ns() + left.count();
  ask(c, {"POST", quote_path(), quote_request(wish_, c.seller->provider, answer_by_ns)},
      &Quotes::got_quote, c.attempts == 0 ? std::chrono::milliseconds(0) : kAskAgain);
}

bool Quotes::retry(Contender& c, const Answer& answer, void (Quotes::*again)(Contender&)) {
  if (closed_ || !may_be_retried(answer) || ++c.attempts >= kAttemptsMax ||
      desk_.now() + kAskAgain >= by_.quoted || desk_.is_cancelled())
    return false;
  (this->*again)(c);
  return true;
}

void Quotes::got_availability(Contender& c, const Answer& answer) {
  if (c.decided) return;
  if (!is_success(answer)) {
    if (!retry(c, answer, &Quotes::ask_availability))
      out(c, "was asked whether it can, and " + answer_text(answer));
    return;
  }
  const auto reading = read_availability(answer.body, wish_);
  if (!reading) return out(c, "is not available: " + to_text(reading.error()));
  if (const auto* pending = std::get_if<Pending>(&*reading))
    return ask(c, {"GET", availability_path(pending->id), {}}, &Quotes::got_availability,
               kAskAgain);
  c.told->available = std::get<Availability>(*reading);
  c.attempts = 0;
  ask_quote(c);
}

void Quotes::poll(Contender& c) {
  ask(c, {"GET", quote_path(c.quote_id), {}}, &Quotes::got_decision, kAskAgain);
}

void Quotes::got_quote(Contender& c, const Answer& answer) {
  c.asked = c.asked || answer.sent;
  if (is_success(answer)) return read(c, answer.body);
  if (!c.decided && retry(c, answer, &Quotes::ask_quote)) return;
  if (!c.decided) out(c, "was asked for a quote, and " + answer_text(answer));
  // What was refused in words was not made.
  if (c.asked && may_be_retried(answer)) let_go(c, {}, answer.answered);
}

void Quotes::got_decision(Contender& c, const Answer& answer) {
  if (c.decided) return;  // was let go when time was up
  if (is_success(answer)) return read(c, answer.body);
  if (retry(c, answer, &Quotes::poll)) return;
  out(c, desk_.now() >= by_.quoted ? "did not decide in time"
                                   : "was asked for its decision, and " + answer_text(answer));
  let_go(c, c.quote_id, true);
}

void Quotes::read(Contender& c, const std::string& body) {
  const auto reading = read_quote(body, wish_, c.seller->provider, desk_.wall_ns());
  if (!reading) {
    if (!c.decided) out(c, "gave a quote that is refused: " + to_text(reading.error()));
    if (!reading.error().is_over)
      let_go(c, reading.error().id.empty() ? c.quote_id : reading.error().id, true);
  } else if (const auto* pending = std::get_if<Pending>(&*reading)) {
    if (c.decided) return let_go(c, pending->id, true);
    c.quote_id = pending->id;
    poll(c);
  } else {
    take(c, std::get<Quote>(*reading));
  }
}

void Quotes::take(Contender& c, Quote quote) {
  if (c.decided) return let_go(c, quote.id, true);
  if (wish_.budget && quote.total > *wish_.budget) {
    out(c, "costs " + billing::to_text(quote.total) + " " + quote.currency + ", more than the " +
               billing::to_text(*wish_.budget) + " there are for it");
    let_go(c, quote.id, true);
  } else {
    c.decided = true;
    c.told->quote = quote;
    firm_.push_back(std::move(quote));
  }
}

void Quotes::out(Contender& c, const std::string& why) {
  c.decided = true;
  c.told->what = c.seller->provider + " " + why;
}

void Quotes::let_go(const Contender& c, const std::string& id, bool settled) {
  const int64_t now_ns = desk_.wall_ns();
  releases_.add({.provider = c.seller->provider,
                 .id = id,
                 .external_id = external_id(wish_, c.seller->provider),
                 .valid_until_ns = id.empty() ? now_ns + kForgottenAfterNs : 0,
                 .settled_ns = settled ? now_ns : now_ns + kSettlesAfterNs});
}

}  // namespace anabranch::negotiation
