// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/release.h"

#include <algorithm>

#include "control/negotiation/tmf.h"

namespace anabranch::negotiation {
namespace {

constexpr std::chrono::milliseconds kRetryFirst{100}, kRetryMax{5000};

std::chrono::milliseconds retry_after(uint32_t attempts) {
  return std::min(kRetryMax, kRetryFirst * (1 << std::min(attempts, 6u)));
}

}  // namespace

void Releases::add(Open open) {
  Item& item = items_.emplace_back();
  item.open = std::move(open);
  const auto seller = std::find_if(sellers_.begin(), sellers_.end(), [&](const Seller& s) {
    return s.provider == item.open.provider;
  });
  if (seller == sellers_.end()) {
    item.open.why = "its provider's document is gone";
    return;
  }
  item.seller = &*seller;
  attempt(item, desk_.now());
}

bool Releases::done() const {
  return std::none_of(items_.begin(), items_.end(), [](const Item& i) { return i.waits; });
}

std::vector<Open> Releases::left() const {
  std::vector<Open> left;
  for (const Item& item : items_) {
    if (!item.ended) left.push_back(item.open);
  }
  return left;
}

void Releases::attempt(Item& item, Steady::time_point from) {
  item.waits = false;
  if (item.open.valid_until_ns != 0 && item.open.valid_until_ns <= desk_.wall_ns()) {
    item.ended = true;
    return;
  }
  if (from >= until_ || desk_.is_cancelled()) return;
  item.waits = true;
  if (item.open.id.empty())
    look_up(item, from);
  else
    reject(item, from);
}

void Releases::look_up(Item& item, Steady::time_point from) {
  const bool quote = item.open.kind == Open::Kind::quote;
  Call call{"GET", quote ? quotes_of(item.open.external_id) : orders_of(item.open.external_id), {}};
  desk_.ask(*item.seller, std::move(call), from, until_,
            [this, &item](const Answer& answer) { looked_up(item, answer); });
}

void Releases::reject(Item& item, Steady::time_point from) {
  Call call = item.open.kind == Open::Kind::quote
                  ? Call{"PATCH", quote_path(item.open.id), quote_rejection()}
                  : Call{"POST", cancel_order_path(), order_cancellation(item.open.id)};
  desk_.ask(*item.seller, std::move(call), from, until_,
            [this, &item](const Answer& answer) { rejected(item, answer); });
}

void Releases::rejected(Item& item, const Answer& answer) {
  const bool unknown = answer.status == 404 || answer.status == 410;
  if (unknown || (is_success(answer) && confirms_end(answer.body))) {
    item.waits = false;
    item.ended = true;
    return;
  }
  if (answer.status == 0) return retry(item, answer_text(answer));
  // It answered something else: what it lists tells whether it did what was asked.
  item.open.why = is_success(answer) ? "answered without confirming it" : answer_text(answer);
  look_up(item, desk_.now());
}

void Releases::looked_up(Item& item, const Answer& answer) {
  if (!is_success(answer)) return retry(item, answer_text(answer));
  const auto listed = read_open(answer.body, item.open.external_id);
  if (!listed) return retry(item, listed.error());
  const bool known = !item.open.id.empty();
  const auto is_it = [&](const Listed& l) {
    return l.id == item.open.id && !(item.open.was_ordered && l.state == "accepted");
  };
  if (known ? std::none_of(listed->begin(), listed->end(), is_it)
            : listed->empty() && item.open.settled_ns <= desk_.wall_ns()) {
    item.waits = false;
    item.ended = true;
    return;
  }
  if (known) return retry(item, item.open.why.empty() ? "is still listed" : item.open.why);
  if (listed->empty()) return retry(item, "may still be made");
  for (const Listed& l : *listed) {
    Open found = item.open;
    found.id = l.id;
    found.valid_until_ns = l.valid_until_ns.value_or(0);
    add(std::move(found));
  }
  // Those take its place; until all is settled another may come.
  if (item.open.settled_ns > desk_.wall_ns()) return retry(item, "may still be made");
  item.waits = false;
  item.ended = true;
}

void Releases::retry(Item& item, const std::string& why) {
  item.open.why = why;
  attempt(item, desk_.now() + retry_after(item.attempts++));
}

std::vector<Open> release(const std::vector<Open>& open, const std::vector<Seller>& sellers,
                          Desk& desk, Steady::time_point until) {
  Releases releases(desk, sellers, until);
  for (const Open& each : open) releases.add(each);
  desk.run(until, [&] { return releases.done(); });
  return releases.left();
}

}  // namespace anabranch::negotiation
