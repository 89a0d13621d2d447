// SPDX-License-Identifier: BSD-3-Clause
#include "control/decision.h"

namespace anabranch::control {

Decision decide(Decision d) {
  d.weighing = weigh(d.paths, d.profile, d.request, d.currency, d.in_force ? &*d.in_force : nullptr,
                     d.ratings, kRunnersUp);
  return d;
}

tl::expected<Replayed, std::string> replay(const nlohmann::json& stored) {
  const auto recorded = decision_from_json(stored);
  if (!recorded) return tl::unexpected(recorded.error());
  Replayed result;
  result.decision = decide(*recorded);
  const Weighing &was = recorded->weighing, &is = result.decision.weighing;
  const Choice &before = was.choice, &now = is.choice;
  if (before.preferred.has_value() != now.preferred.has_value())
    result.difference = now.preferred ? "a scenario is preferred now; it was refused"
                                      : "it is refused now: " + now.refusal;
  else if (now.preferred && !is_same_combination(*before.preferred, *now.preferred))
    result.difference = "another combination is preferred now";
  else if (before != now)
    result.difference = "the same is preferred, but expected or explained differently";
  else if (was.worth != is.worth)
    result.difference = "the same is preferred, but it is worth something else";
  else if (was.runners_up != is.runners_up || was.best_quality != is.best_quality ||
           was.cheapest != is.cheapest || was.bounds != is.bounds ||
           was.with_avoided != is.with_avoided)
    result.difference = "the same is preferred, but others were weighed beside it";
  result.same = result.difference.empty();
  return result;
}

}  // namespace anabranch::control
