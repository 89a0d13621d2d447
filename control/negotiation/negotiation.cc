// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/negotiation.h"

#include "control/negotiation/moment.h"
#include "control/negotiation/order.h"
#include "control/negotiation/quotes.h"

namespace anabranch::negotiation {
namespace {

std::string price_text(const Quote& quote) {
  return billing::to_text(quote.total) + " " + quote.currency;
}

void let_go(const Wish& wish, const Quote& quote, bool was_ordered, Releases& releases) {
  releases.add({.provider = quote.provider,
                .id = quote.id,
                .external_id = external_id(wish, quote.provider),
                .valid_until_ns = quote.valid_until_ns,
                .was_ordered = was_ordered});
}

// Orders from the best that takes it, and says of each why it won or lost.
void order(const Wish& wish, const Quotes& quotes, const Ranking& ranking, const Context& context,
           Orders& orders, Releases& releases, Outcome& outcome) {
  const auto& firm = quotes.firm();
  const std::vector<size_t> best_first = ranked(firm, ranking);
  std::vector<std::pair<const Quote*, bool>> lost;  // and whether an order was tried
  for (size_t i = 0; i < best_first.size(); ++i) {
    const Quote& quote = firm[best_first[i]];
    Told& told = outcome.told[quotes.place(quote)];
    if (outcome.held) {
      told.what =
          quote.provider + " was not needed: " + what_decides(outcome.held->quote, quote, ranking);
      lost.emplace_back(&quote, false);
      continue;
    }
    const std::string why = context.objection ? context.objection(quote) : "";
    if (!why.empty()) {
      told.what = quote.provider + " is not ordered from at " + price_text(quote) + ": " + why;
      lost.emplace_back(&quote, false);
      continue;
    }
    const auto placed = orders.place(quote, i + 1 == best_first.size());
    if (!placed) {
      told.what = quote.provider + " " + placed.error();
      lost.emplace_back(&quote, true);
      continue;
    }
    outcome.held = Held{quote, *placed};
    told.won = true;
    told.what = quote.provider + " won at " + price_text(quote);
    told.what += i + 1 < best_first.size()
                     ? ": " + what_decides(quote, firm[best_first[i + 1]], ranking)
                     : ": no other was left";
    if (i > 0) told.what += "; those before it could not be had";
  }
  // Not before: until one has taken the order, each may be needed.
  for (const auto& [quote, was_ordered] : lost) let_go(wish, *quote, was_ordered, releases);
}

}  // namespace

Deadlines deadlines(Steady::time_point now, Steady::duration takes) {
  return {now + takes * 3 / 5, now + takes, now + takes * 2};
}

Outcome negotiate(const Wish& wish, const std::vector<Seller>& sellers, const Ranking& ranking,
                  const Context& context) {
  Outcome outcome;
  Desk desk(context.clocks, context.cancelled, context.record);
  Releases releases(desk, sellers, context.deadlines.released);
  Quotes quotes(wish, sellers, desk, context.deadlines, releases, outcome.told);
  quotes.collect();
  Orders orders(wish, sellers, desk, context.deadlines, releases);
  order(wish, quotes, ranking, context, orders, releases, outcome);
  if (context.decided) context.decided(outcome);
  // Answers that are still to come may bring more to release.
  desk.run(context.deadlines.released);
  outcome.open = releases.left();
  return outcome;
}

}  // namespace anabranch::negotiation
