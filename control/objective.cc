// SPDX-License-Identifier: BSD-3-Clause
#include "control/objective.h"

#include <fmt/format.h>

#include <algorithm>

#include "billing/money.h"
#include "control/json_reader.h"

namespace anabranch::control {
namespace {

using Of = Objective::Of;

// The place of a name among names.
template <typename Enum, size_t N>
std::optional<Enum> named_among(const std::array<std::string_view, N>& names,
                                const std::string& text) {
  const auto* found = std::find(names.begin(), names.end(), text);
  return found == names.end() ? std::nullopt
                              : std::optional(static_cast<Enum>(found - names.begin()));
}

// Decimal text as in the agreement's promises.
auto at_most(double most) {
  return [most](const std::string& text) -> std::optional<double> {
    const auto amount = billing::parse_amount(text);
    if (!amount || amount->attos() < 0) return std::nullopt;
    const double value = static_cast<double>(amount->attos()) / billing::kAttosPerUnit;
    return value <= most ? std::optional(value) : std::nullopt;
  };
}

std::optional<double> limit_of(JsonReader& r, Of of) {
  switch (of) {
    case Of::rate_up:
    case Of::rate_down:
      if (const auto rate = r.parsed("rate", "a rate such as \"20 Mbit/s\"", parse_rate))
        return static_cast<double>(*rate);
      return std::nullopt;
    case Of::latency:
    case Of::jitter:
      return r.parsed("ms", "milliseconds up to 60000, such as \"60\"", at_most(60'000));
    case Of::loss:
    case Of::availability:
      return r.parsed("percent", "a percentage such as \"99.9\"", at_most(100));
  }
  return std::nullopt;
}

std::optional<Objective> read_objective(JsonReader& r) {
  const auto of = r.parsed(
      "of", "\"rate-up\", \"rate-down\", \"latency\", \"jitter\", \"loss\" or \"availability\"",
      [](const std::string& text) { return named_among<Of>(kObjectiveNames, text); });
  const auto window =
      r.parsed("window", "\"1s\", \"1min\", \"1h\" or \"30d\"",
               [](const std::string& text) { return named_among<Window>(kWindowNames, text); });
  const auto limit = of ? limit_of(r, *of) : std::nullopt;
  if (of) r.finish();
  if (!of || !window || !limit) return std::nullopt;
  return Objective{*of, *window, *limit};
}

}  // namespace

Parsed<std::vector<Objective>> parse_objectives(const nlohmann::json& agreement) {
  FieldErrors errors;
  JsonReader r(agreement, "", errors);
  std::vector<Objective> all;
  if (!r.has("objectives")) return all;
  for (JsonReader& one : r.objects("objectives", Objective::kMax)) {
    if (const auto objective = read_objective(one)) all.push_back(*objective);
  }
  return result_of(std::move(all), std::move(errors));
}

std::string to_text(const Objective& o, double value) {
  const auto text = [&]() -> std::string {
    switch (o.of) {
      case Of::rate_up:
        return rate_text(static_cast<uint64_t>(value)) + " up";
      case Of::rate_down:
        return rate_text(static_cast<uint64_t>(value)) + " down";
      case Of::latency:
        return fmt::format("{:.4g} ms one way", value);
      case Of::jitter:
        return fmt::format("{:.4g} ms jitter", value);
      case Of::loss:
        return fmt::format("{:.4g} % loss after repair", value);
      case Of::availability:
        return fmt::format("{:.7g} % availability", value);
    }
    return {};
  };
  return text() + " over " + std::string(kWindowNames[static_cast<size_t>(o.window)]);
}

}  // namespace anabranch::control
