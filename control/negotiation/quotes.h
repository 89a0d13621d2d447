// SPDX-License-Identifier: BSD-3-Clause
// The first half of a negotiation: what each provider can give, and for how much. Each goes at its
// own pace (availability, then quote, then asked again while it is undecided), so that one that is
// slow holds up no other.
#pragma once

#include <list>
#include <optional>
#include <string>
#include <vector>

#include "control/negotiation/moment.h"
#include "control/negotiation/negotiation.h"

namespace anabranch::negotiation {

// How often one that has not decided is asked again; and one that could not answer.
inline constexpr std::chrono::milliseconds kAskAgain{100};
// After a request, how long a provider may still be working on it without a connection.
inline constexpr int64_t kSettlesAfterNs = 60 * kSecondNs;

class Quotes {
 public:
  Quotes(const Wish& wish, const std::vector<Seller>& sellers, Desk& desk, const Deadlines& by,
         Releases& releases, std::vector<Told>& told);
  // Until each has a quote or is out, or the deadline for quotes has come. What comes later is
  // released when it comes.
  void collect();
  // Firm quotes, of which each is either taken or given to release().
  const std::vector<Quote>& firm() const { return firm_; }
  // The place of its provider among `told`.
  size_t place(const Quote& quote) const;

 private:
  struct Contender {
    const Seller* seller;
    Told* told;
    uint32_t attempts = 0;
    bool decided = false;
    bool asked = false;    // for a quote: it may have made one
    std::string quote_id;  // of one that is not decided
  };
  using Got = void (Quotes::*)(Contender&, const Answer&);

  void ask(Contender& c, Call call, Got got, std::chrono::milliseconds after = {});
  void ask_availability(Contender& c);
  void ask_quote(Contender& c);
  void got_availability(Contender& c, const Answer& answer);
  void got_quote(Contender& c, const Answer& answer);
  void got_decision(Contender& c, const Answer& answer);
  void read(Contender& c, const std::string& body);
  void poll(Contender& c);
  bool retry(Contender& c, const Answer& answer, void (Quotes::*again)(Contender&));
  void out(Contender& c, const std::string& why);
  void let_go(const Contender& c, const std::string& id, bool settled);
  void take(Contender& c, Quote quote);

  const Wish& wish_;
  Desk& desk_;
  const Deadlines& by_;
  Releases& releases_;
  std::vector<Told>& told_;
  std::list<Contender> contenders_;
  std::vector<Quote> firm_;
  bool closed_ = false;
};

}  // namespace anabranch::negotiation
