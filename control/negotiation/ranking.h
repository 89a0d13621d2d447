// SPDX-License-Identifier: BSD-3-Clause
// Which of several quotes is the best: by the profile's order of providers, then by rating, then by
// the exact price, then by provider id so that equals are always told apart alike.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/negotiation/tmf.h"

namespace anabranch::negotiation {

// What is thought of a provider. One that is not known comes after all that are.
struct Rank {
  uint32_t place = UINT32_MAX;  // in the profile's order; the least is the most preferred
  double rating = 0;            // measured quality, 0 to 100
};
using Ranking = std::map<std::string, Rank>;

// Indices of `quotes`, the best first.
std::vector<size_t> ranked(const std::vector<Quote>& quotes, const Ranking& ranking);
// By what `winner` comes before `loser`, as a sentence's end: "costs 12.50 EUR, p2 3.00 EUR".
std::string what_decides(const Quote& winner, const Quote& loser, const Ranking& ranking);

// When to ask again for something that is valid until then, so that a new one is in hand in time:
// with a fifth of its validity left, or earlier where two negotiations (the first may fail) take
// longer than that. At once, where it is too short for either. All UTC.
int64_t renewal_ns(int64_t made_ns, int64_t valid_until_ns, int64_t negotiation_takes_ns);

}  // namespace anabranch::negotiation
