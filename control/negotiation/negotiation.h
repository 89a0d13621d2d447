// SPDX-License-Identifier: BSD-3-Clause
// Negotiates amongst providers (claims c02, c03): asks all that are approved at once what they can
// give and for how much, orders from the best, from the next when that fails, and lets all others
// go. Blocking, for a thread of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/negotiation/desk.h"
#include "control/negotiation/ranking.h"
#include "control/negotiation/release.h"
#include "control/negotiation/tmf.h"

namespace anabranch::negotiation {

// What became of one provider, in the order they were given in.
struct Told {
  std::string provider;
  bool won = false;
  std::string what;  // a sentence: why it won or lost
  std::optional<Availability> available;
  std::optional<Quote> quote;
};

struct Held {
  Quote quote;
  std::string order;  // the provider's id
};

struct Outcome {
  std::optional<Held> held;  // nothing: no provider could be had
  std::vector<Told> told;
  // What could not be released yet: to be stored, and tried again by release().
  std::vector<Open> open;
};

struct Deadlines {
  Steady::time_point quoted, ordered, released;
};
// Quotes have three fifths of `takes`, so that the first order may fail; releases as long again.
Deadlines deadlines(Steady::time_point now, Steady::duration takes);

struct Context {
  Clocks clocks;
  Deadlines deadlines;
  const std::atomic<bool>* cancelled = nullptr;
  std::function<void(const Record&)> record;
  // Why a quote is not to be ordered from, as a sentence's end; empty: it may be. Asked of the
  // firm ones, the best first, until one has taken the order. May be null: all may be.
  std::function<std::string(const Quote&)> objection;
  // Called as soon as it is decided, before others are released: traffic need not wait for that.
  std::function<void(const Outcome&)> decided;
};

// A wish that is asked for again with the same id gets the same quote and order from a provider
// that has made them.
Outcome negotiate(const Wish& wish, const std::vector<Seller>& sellers, const Ranking& ranking,
                  const Context& context);

}  // namespace anabranch::negotiation
