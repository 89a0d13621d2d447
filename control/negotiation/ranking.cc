// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace anabranch::negotiation {
namespace {

Rank rank_of(const Quote& quote, const Ranking& ranking) {
  const auto found = ranking.find(quote.provider);
  Rank rank = found == ranking.end() ? Rank{} : found->second;
  // A rating that is no number would make the order depend on the input's.
  if (!(rank.rating >= 0)) rank.rating = 0;
  return rank;
}

bool comes_before(const Quote& a, const Quote& b, const Ranking& ranking) {
  const Rank of_a = rank_of(a, ranking), of_b = rank_of(b, ranking);
  if (of_a.place != of_b.place) return of_a.place < of_b.place;
  if (of_a.rating != of_b.rating) return of_a.rating > of_b.rating;
  if (a.total != b.total) return a.total < b.total;
  return a.provider < b.provider;
}

}  // namespace

std::vector<size_t> ranked(const std::vector<Quote>& quotes, const Ranking& ranking) {
  std::vector<size_t> order(quotes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return comes_before(quotes[a], quotes[b], ranking); });
  return order;
}

std::string what_decides(const Quote& winner, const Quote& loser, const Ranking& ranking) {
  const Rank first = rank_of(winner, ranking), second = rank_of(loser, ranking);
  if (first.place != second.place)
    return "the profile puts " + winner.provider + " before " + loser.provider;
  if (first.rating != second.rating)
    return fmt::format("{} is rated {:.4g}, {} {:.4g}", winner.provider, first.rating,
                       loser.provider, second.rating);
  if (winner.total != loser.total)
    return fmt::format("{} costs {} {}, {} {} {}", winner.provider, billing::to_text(winner.total),
                       winner.currency, loser.provider, billing::to_text(loser.total),
                       loser.currency);
  return "of equals, the first by name is taken, " + winner.provider;
}

int64_t renewal_ns(int64_t made_ns, int64_t valid_until_ns, int64_t negotiation_takes_ns) {
  const int64_t validity_ns = std::max<int64_t>(valid_until_ns - made_ns, 0);
  const int64_t before_ns =
      std::max(validity_ns / 5, 2 * std::max<int64_t>(negotiation_takes_ns, 0));
  return std::max(made_ns, valid_until_ns - before_ns);
}

}  // namespace anabranch::negotiation
