// SPDX-License-Identifier: BSD-3-Clause
#include "billing/agreement.h"

#include <algorithm>

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr size_t kPromisesMax = 16, kCreditsMax = 8;
constexpr Int128 kMillion = 1'000'000;
const Amount kHundred = Amount::from_attos(100 * kAttosPerUnit);

std::optional<Amount> read_percent(DocumentReader& r, const char* name) {
  const auto percent = r.decimal(name, 4, "a percentage such as \"99.9\"");
  if (percent && *percent > kHundred) r.wrong(name, "is above 100");
  return percent;
}

std::optional<Promise::Credit> read_credit(const json& document, const std::string& at,
                                           DocumentErrors& errors) {
  DocumentReader r(document, at, "a credit", {"below", "percent"}, errors);
  const auto below = read_percent(r, "below");
  const auto percent = read_percent(r, "percent");
  if (!below || !percent) return std::nullopt;
  return Promise::Credit{*below, *percent};
}

void read_limit(DocumentReader& r, Promise& promise) {
  const bool latency = promise.of == Promise::Of::latency, loss = promise.of == Promise::Of::loss;
  if (latency) promise.limit = r.decimal("ms", 3, "milliseconds such as \"60\"").value_or(Amount());
  if (loss) promise.limit = read_percent(r, "percent").value_or(Amount());
  if (!latency && r.has("ms")) r.wrong("ms", "is of a promise of latency alone");
  if (!loss && r.has("percent")) r.wrong("percent", "is of a promise of loss alone");
}

std::optional<Promise> read_promise(const json& document, const std::string& at,
                                    DocumentErrors& errors) {
  DocumentReader r(document, at, "a promise", {"of", "ms", "percent", "credits"}, errors);
  const auto of = r.choice("of", kPromiseNames);
  if (!of) return std::nullopt;
  Promise promise{.of = static_cast<Promise::Of>(*of)};
  read_limit(r, promise);
  const auto credits = r.list("credits", kCreditsMax, "credits");
  if (!r.has("credits")) r.wrong("credits", "is missing; expected what is credited below what");
  for (size_t i = 0; i < credits.size(); ++i) {
    if (auto c = read_credit(credits[i], r.at("credits") + "/" + std::to_string(i), errors))
      promise.credits.push_back(*c);
  }
  std::sort(promise.credits.begin(), promise.credits.end(),
            [](const auto& a, const auto& b) { return a.below > b.below; });
  return promise;
}

// In millionths of a whole.
int64_t good_ppm(const Promise& promise, const Measurement& m) {
  const auto within = [&](Int128 measured_attos) {
    return measured_attos <= promise.limit.attos() ? int64_t{kMillion} : 0;
  };
  switch (promise.of) {
    case Promise::Of::availability:
      return m.available_ppm;
    case Promise::Of::latency:  // half of the round trip, microseconds as milliseconds
      return within(Int128{m.rtt_us} * (kAttosPerUnit / 2000));
    case Promise::Of::loss:
      return within(Int128{m.loss_ppm} * (kAttosPerUnit / 10'000));
  }
  return 0;
}

// Latency and loss are of minutes in which there was something to measure.
bool counts(const Promise& promise, const Measurement& m) {
  return promise.of == Promise::Of::availability || m.available_ppm > 0;
}

}  // namespace

tl::expected<Agreement, DocumentErrors> parse_agreement(const json& document) {
  DocumentErrors errors;
  DocumentReader r(document, "", "a service level agreement",
                   {"id", "billing", "promises", "objectives"}, errors);
  if (!document.is_object()) return tl::unexpected(errors);
  Agreement agreement{.id = r.text("id", "the agreement's name")};
  if (const json* billing = r.member("billing"))
    agreement.billing = read_preferences(*billing, r.at("billing"), errors);
  const auto promises = r.list("promises", kPromisesMax, "promises");
  for (size_t i = 0; i < promises.size(); ++i) {
    if (auto p = read_promise(promises[i], r.at("promises") + "/" + std::to_string(i), errors))
      agreement.promises.push_back(std::move(*p));
  }
  if (!errors.empty()) return tl::unexpected(errors);
  return agreement;
}

std::optional<Kept> kept(const Promise& promise, std::span<const Measurement> minutes) {
  Kept kept;
  Int128 good = 0;
  for (const Measurement& m : minutes) {
    if (!counts(promise, m)) continue;
    const int64_t ppm = good_ppm(promise, m);
    ++kept.minutes;
    kept.missed += ppm < kMillion;
    good += ppm;
  }
  if (kept.minutes == 0) return std::nullopt;
  // A percentage is ppm / 10^4, so its fourth decimal is one ppm.
  const Int128 ppm = good / static_cast<Int128>(kept.minutes);
  kept.percent = Amount::from_attos(ppm * (kAttosPerUnit / 10'000));
  return kept;
}

Amount credit_percent(const Promise& promise, const Kept& kept) {
  Amount percent;
  for (const Promise::Credit& c : promise.credits) {
    if (kept.percent < c.below) percent = c.percent;
  }
  return percent;
}

}  // namespace anabranch::billing
