// SPDX-License-Identifier: BSD-3-Clause
// Lets go of what is not taken: no provider keeps capacity for us that we do not want, and none may
// charge for it.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include "control/negotiation/desk.h"

namespace anabranch::negotiation {

// A quote or an order that a provider has open for us, or may have.
struct Open {
  enum class Kind : uint8_t { quote, order };
  std::string provider;
  Kind kind = Kind::quote;
  std::string id;              // empty: it was asked for and never answered; found by
  std::string external_id;     // this
  int64_t valid_until_ns = 0;  // UTC, after which it is over by itself; 0: it does not end so
  // UTC: earlier, a provider that lists none may still be making it.
  int64_t settled_ns = 0;
  // A quote: its order is let go of by itself, and leaves it "accepted".
  bool was_ordered = false;
  std::string why;  // it could not be released, of the last attempt
};

// Releases all at once; each is retried, ever less often, until the provider confirms it or it is
// over. Items are worked on whenever the desk runs.
class Releases {
 public:
  Releases(Desk& desk, const std::vector<Seller>& sellers, Steady::time_point until)
      : desk_(desk), sellers_(sellers), until_(until) {}

  void add(Open open);
  // While not: until_ has not come, and something is left to do.
  bool done() const;
  // What is left.
  std::vector<Open> left() const;

 private:
  struct Item {
    Open open;
    const Seller* seller = nullptr;
    uint32_t attempts = 0;
    bool ended = false, waits = false;
  };
  void attempt(Item& item, Steady::time_point from);
  void look_up(Item& item, Steady::time_point from);
  void reject(Item& item, Steady::time_point from);
  void looked_up(Item& item, const Answer& answer);
  void rejected(Item& item, const Answer& answer);
  void retry(Item& item, const std::string& why);

  Desk& desk_;
  const std::vector<Seller>& sellers_;
  Steady::time_point until_;
  std::list<Item> items_;
};

// What an earlier negotiation could not release, tried again until `until`. Returns what is still
// open. Blocks.
std::vector<Open> release(const std::vector<Open>& open, const std::vector<Seller>& sellers,
                          Desk& desk, Steady::time_point until);

}  // namespace anabranch::negotiation
