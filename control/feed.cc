// SPDX-License-Identifier: BSD-3-Clause
#include "control/feed.h"

#include <fmt/format.h>

#include "billing/wall_clock.h"
#include "control/decision_record.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

constexpr int kComeAgainMs = 2000;  // what a listener is told to wait before it connects again

std::string event_text(uint64_t id, const char* event, const json& data) {
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", id, event,
                     data.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

Feed::Feed(Limits limits, uint64_t first) : limits_(limits), next_(first) {}

void Feed::publish(const char* event, json data, const std::string& client) {
  data["at"] = millisecond_text(billing::wall_now_ns());
  if (!client.empty()) data["client"] = client;
  {
    const std::lock_guard lock(mutex_);
    ring_.push_back(std::make_shared<const Event>(Event{client, event_text(next_, event, data)}));
    ++next_;
    octets_ += ring_.back()->text.size();
    while (ring_.size() > limits_.events || octets_ > limits_.octets) {
      octets_ -= ring_.front()->text.size();
      ring_.pop_front();
    }
  }
  more_.notify_all();
}

std::unique_ptr<Feed::Listener> Feed::listen(const Caller& caller, std::optional<uint64_t> after) {
  const std::lock_guard lock(mutex_);
  if (has_ended_ || listeners_ >= limits_.listeners) return nullptr;
  ++listeners_;
  std::unique_ptr<Listener> listener(new Listener(*this, caller));
  listener->next_ = after ? *after + 1 : next_;
  listener->opening_ = fmt::format("retry: {}\n", kComeAgainMs);
  // Of an earlier process, too long ago, or never sent at all.
  if (listener->next_ < oldest() || listener->next_ > next_) {
    listener->next_ = next_;
    listener->opening_ +=
        event_text(next_ - 1, kResetEvent, {{"at", millisecond_text(billing::wall_now_ns())}});
  } else {
    listener->opening_ += fmt::format("id: {}\n\n", listener->next_ - 1);
  }
  return listener;
}

size_t Feed::listeners() const {
  const std::lock_guard lock(mutex_);
  return listeners_;
}

void Feed::stop() {
  {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
  }
  more_.notify_all();
}

Feed::Listener::~Listener() {
  const std::lock_guard lock(feed_.mutex_);
  --feed_.listeners_;
}

std::optional<std::string> Feed::Listener::next(std::chrono::milliseconds at_most) {
  if (!opening_.empty()) return std::exchange(opening_, {});
  const auto until = std::chrono::steady_clock::now() + at_most;
  std::string text;
  std::unique_lock lock(feed_.mutex_);
  do {
    const bool is_any = feed_.more_.wait_until(
        lock, until, [&] { return feed_.has_ended_ || next_ < feed_.next_; });
    if (feed_.has_ended_ || next_ < feed_.oldest()) return std::nullopt;
    if (!is_any) break;
    for (; next_ < feed_.next_ && text.size() < feed_.limits_.at_once; ++next_) {
      const Event& event = *feed_.ring_[next_ - feed_.oldest()];
      if (caller_.role != Role::client || (!event.client.empty() && caller_.is(event.client)))
        text += event.text;
    }
  } while (text.empty());
  return text;
}

}  // namespace anabranch::control
