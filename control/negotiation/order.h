// SPDX-License-Identifier: BSD-3-Clause
// The second half of a negotiation: one order, from the best that takes it.
#pragma once

#include <string>
#include <vector>

#include "control/negotiation/quotes.h"

namespace anabranch::negotiation {

class Orders {
 public:
  Orders(const Wish& wish, const std::vector<Seller>& sellers, Desk& desk, const Deadlines& by,
         Releases& releases)
      : wish_(wish), sellers_(sellers), desk_(desk), by_(by), releases_(releases) {}

  // The id of the order, or why there is none, as a sentence's end. Has half of the time that is
  // left, or all of it where none comes after.
  tl::expected<std::string, std::string> place(const Quote& quote, bool is_last);

 private:
  struct Attempt {
    const Quote* quote;
    const Seller* seller;
    Steady::time_point until;
    bool decided = false;
    bool asked = false;  // it may have been made
    std::string id;      // while it is pending
    std::string order;   // made
    std::string why = "did not confirm the order in time";
  };
  void post(Attempt& a, std::chrono::milliseconds after);
  void poll(Attempt& a);
  void got(Attempt& a, const Answer& answer);
  void fail(Attempt& a, const std::string& why);
  void cancel(const Attempt& a, const std::string& id);

  const Wish& wish_;
  const std::vector<Seller>& sellers_;
  Desk& desk_;
  const Deadlines& by_;
  Releases& releases_;
};

}  // namespace anabranch::negotiation
