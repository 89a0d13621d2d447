// SPDX-License-Identifier: BSD-3-Clause
#include "billing/tariff_item.h"

#include <algorithm>

#include "billing/samples.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr int kGbDecimals = 9;  // 1 octet is 10^-9 GB
constexpr int kAttoDecimals = 18;
constexpr int kMbpsDecimals = 6;  // to one bit a second
constexpr int kPercentDecimals = 9;
constexpr int kStepMinutes = kSampleSeconds / 60;
constexpr size_t kTiersMax = 64;

constexpr std::array<std::string_view, 9> kModels{"per_gb",       "per_octet", "graduated",
                                                  "volume",       "allowance", "percentile",
                                                  "pass_through", "flat",      "commit"};
constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr std::array<std::string_view, 2> kOf{"higher", "sum"};

// "100", in GB, as octets.
std::optional<uint64_t> read_gb(DocumentReader& r, const char* name, bool required) {
  const auto gb = r.decimal(name, kGbDecimals, "GB such as \"100\"", required);
  if (!gb) return std::nullopt;
  const Int128 octets = gb->attos() / (kAttosPerUnit / static_cast<Int128>(kOctetsPerGb));
  if (octets <= static_cast<Int128>(UINT64_MAX)) return static_cast<uint64_t>(octets);
  r.wrong(name, "is more than 2^64 octets");
  return std::nullopt;
}

std::optional<uint16_t> minute_of(const std::string& text) {
  const bool shaped = text.size() == 5 && text[2] == ':' &&
                      text.find_first_not_of("0123456789:") == std::string::npos &&
                      text.find(':', 3) == std::string::npos;
  if (!shaped) return std::nullopt;
  const int hour = std::stoi(text.substr(0, 2)), minute = std::stoi(text.substr(3, 2));
  if (minute > 59 || hour * 60 + minute > TimeWindow::kDay || minute % kStepMinutes != 0)
    return std::nullopt;
  return static_cast<uint16_t>(hour * 60 + minute);
}

std::optional<uint16_t> read_time(DocumentReader& r, const char* name, uint16_t otherwise) {
  constexpr const char* kExpected =
      "a time of day from \"00:00\" to \"24:00\", in steps of five minutes";
  if (!r.has(name)) return otherwise;
  const std::string text = r.text(name, kExpected);
  const auto minute = minute_of(text);
  if (!minute && !text.empty()) r.wrong(name, "\"" + text + "\"; expected " + kExpected);
  return minute;
}

std::optional<TimeWindow> read_window(const json& document, const std::string& at,
                                      DocumentErrors& errors) {
  const size_t before = errors.size();
  DocumentReader r(document, at, "{\"days\": [\"mon\"], \"from\": \"08:00\", \"to\": \"20:00\"}",
                   {"days", "from", "to"}, errors);
  TimeWindow window;
  const auto from = read_time(r, "from", 0), to = read_time(r, "to", TimeWindow::kDay);
  if (r.has("days")) window.days = 0;
  for (size_t day : r.choices("days", kDays))
    window.days = static_cast<uint8_t>(window.days | 1u << day);
  if (from && to && (*from == *to || *from == TimeWindow::kDay || *to == 0))
    r.wrong("is no time at all; expected one that begins before 24:00 and ends behind 00:00");
  if (errors.size() != before) return std::nullopt;
  window.from_minute = *from;
  window.to_minute = *to;
  return window;
}

std::vector<Tier> read_tiers(DocumentReader& item, const char* name) {
  std::vector<Tier> tiers;
  uint64_t end = 0;
  const auto list = item.list(name, kTiersMax, "tiers");
  for (size_t i = 0; i < list.size(); ++i) {
    DocumentReader r(list[i], item.at(name) + "/" + std::to_string(i),
                     "{\"up_to_gb\": \"100\", \"per_gb\": \"0.50\"}", {"up_to_gb", "per_gb"},
                     item.errors());
    const bool last = i + 1 == list.size();
    const auto up_to = read_gb(r, "up_to_gb", !last);
    const auto price = read_per_gb(r, "per_gb");
    if (last && r.has("up_to_gb")) r.wrong("up_to_gb", "the last tier has no end");
    if (up_to && *up_to <= end) r.wrong("up_to_gb", "is not more than the tier before ends with");
    end = up_to.value_or(end);
    tiers.push_back({up_to && !last ? *up_to : UINT64_MAX, price.value_or(Amount())});
  }
  return tiers;
}

Allowance read_allowance(DocumentReader& item) {
  DocumentReader r(*item.member("allowance"), item.at("allowance"),
                   "{\"gb\": \"100\", \"per_gb\": \"0.50\"}", {"gb", "per_gb"}, item.errors());
  const auto octets = read_gb(r, "gb", true);
  const auto price = read_per_gb(r, "per_gb");
  return {octets.value_or(0), price.value_or(Amount())};
}

Percentile read_percentile(DocumentReader& item) {
  DocumentReader r(*item.member("percentile"), item.at("percentile"),
                   "{\"percent\": 95, \"of\": \"higher\", \"per_mbps\": \"2.00\"}",
                   {"percent", "of", "per_mbps", "commit_mbps", "overage_per_mbps"}, item.errors());
  Percentile model;
  model.percent = static_cast<uint8_t>(r.whole("percent", 1, 100).value_or(model.percent));
  model.of = static_cast<Percentile::Of>(r.choice("of", kOf, false).value_or(0));
  constexpr const char* kPrice = "a price such as \"2.00\"";
  model.per_mbps = r.decimal("per_mbps", kGbDecimals, kPrice).value_or(Amount());
  model.overage_per_mbps =
      r.decimal("overage_per_mbps", kGbDecimals, kPrice, false).value_or(model.per_mbps);
  const auto commit = r.decimal("commit_mbps", kMbpsDecimals, "Mbit/s such as \"100\"", false);
  if (commit && commit->attos() > Int128{1'000'000'000} * kAttosPerUnit)
    r.wrong("commit_mbps", "is more than 10^9 Mbit/s");
  else if (commit)
    model.commit_bps = static_cast<uint64_t>(commit->attos() / (kAttosPerUnit / 1'000'000));
  if (r.has("overage_per_mbps") && !r.has("commit_mbps"))
    r.wrong("overage_per_mbps", "is a price beyond \"commit_mbps\", which is missing");
  return model;
}

PassThrough read_pass_through(DocumentReader& item) {
  DocumentReader r(*item.member("pass_through"), item.at("pass_through"),
                   "{\"margin_percent\": \"7.5\"}, or {}", {"margin_percent", "margin_per_gb"},
                   item.errors());
  return {r.decimal("margin_percent", kPercentDecimals, "a percentage such as \"7.5\"", false)
              .value_or(Amount()),
          read_per_gb(r, "margin_per_gb", false).value_or(Amount())};
}

// At most what a price per GB may come to, 10^15 a GB.
PerOctet read_per_octet(DocumentReader& r) {
  const auto price = r.decimal("per_octet", kAttoDecimals, "a price such as \"0.0000000005\"");
  if (price && *price > Amount::from_attos(1'000'000 * kAttosPerUnit))
    r.wrong("per_octet", "is more than 10^6, for one octet");
  return {price.value_or(Amount())};
}

Model read_model(DocumentReader& r) {
  constexpr const char* kMoney = "an amount such as \"49.00\"";
  if (r.has("per_gb")) return PerOctet{read_per_gb(r, "per_gb").value_or(Amount())};
  if (r.has("per_octet")) return read_per_octet(r);
  if (r.has("graduated")) return Graduated{read_tiers(r, "graduated")};
  if (r.has("volume")) return Volume{read_tiers(r, "volume")};
  if (r.has("allowance")) return read_allowance(r);
  if (r.has("percentile")) return read_percentile(r);
  if (r.has("pass_through")) return read_pass_through(r);
  if (r.has("flat")) return Flat{r.decimal("flat", kAttoDecimals, kMoney).value_or(Amount())};
  if (r.has("commit"))
    return Commit{r.decimal("commit", kAttoDecimals, kMoney).value_or(Amount()), r.texts("items")};
  return Free{};
}

// Exactly one of the models, or free.
void check_model(DocumentReader& r, const TariffItem& item) {
  std::vector<std::string_view> named;
  for (std::string_view model : kModels) {
    if (r.has(model.data())) named.push_back(model);
  }
  const bool free = r.flag("free", false);
  if (free) named.push_back("free");
  if (named.empty())
    r.wrong("has no price; expected one of " + listed(kModels) + ", or \"free\": true");
  if (named.size() > 1)
    r.wrong(named[1].data(),
            "stands beside \"" + std::string(named[0]) + "\"; an item has one way to charge");
  if (r.has("items") && !std::holds_alternative<Commit>(item.model))
    r.wrong("items", "only a commit counts other items");
  if (item.charges_usage()) return;
  for (const char* condition : {"networks", "paths", "direction", "kinds", "times"}) {
    if (r.has(condition)) r.wrong(condition, "a fee or a commit charges no octets");
  }
  if (item.providers.size() > 1)
    r.wrong("providers", "a fee or a commit is of one provider, or of none");
}

void check_proration(DocumentReader& r, const TariffItem& item) {
  const bool by_time = !item.charges_usage() || std::holds_alternative<Allowance>(item.model) ||
                       std::holds_alternative<Percentile>(item.model);
  if (r.has("prorated") && !by_time)
    r.wrong("prorated", "is for allowance, percentile, flat and commit: what is of a whole cycle");
}

}  // namespace

std::optional<Amount> read_per_gb(DocumentReader& reader, const char* name, bool required) {
  const auto price = reader.decimal(name, kGbDecimals, "a price such as \"0.50\"", required);
  if (!price) return std::nullopt;
  return Amount::from_attos(price->attos() / static_cast<Int128>(kOctetsPerGb));
}

std::optional<TariffItem> read_item(const json& document, const std::string& at, const Tax& tax,
                                    DocumentErrors& errors) {
  const size_t before = errors.size();
  DocumentReader r(
      document, at, "an item such as {\"id\": \"traffic\", \"per_gb\": \"0.50\"}",
      {"id",           "description", "providers", "networks",  "paths",  "direction", "kinds",
       "times",        "per_gb",      "per_octet", "graduated", "volume", "allowance", "percentile",
       "pass_through", "flat",        "commit",    "items",     "free",   "prorated",  "tax"},
      errors);
  if (!document.is_object()) return std::nullopt;
  TariffItem item{.id = r.text("id", "a name that no other item has"),
                  .description = r.text("description", "what a statement says of it", false),
                  .providers = r.texts("providers"),
                  .networks = r.texts("networks"),
                  .paths = r.texts("paths"),
                  .tax = tax};
  if (const auto direction = r.choice("direction", kDirectionNames, false))
    item.direction = static_cast<Direction>(*direction);
  if (r.has("kinds")) item.kinds = 0;
  for (size_t kind : r.choices("kinds", kKindNames))
    item.kinds = static_cast<uint8_t>(item.kinds | 1u << kind);
  const auto times = r.list("times", kWindowsMax, "times of day");
  for (size_t i = 0; i < times.size(); ++i) {
    if (const auto window = read_window(times[i], r.at("times") + "/" + std::to_string(i), errors))
      item.times.push_back(*window);
  }
  item.model = read_model(r);
  item.prorated = r.flag("prorated", true);
  check_model(r, item);
  check_proration(r, item);
  if (const json* own = r.member("tax"))
    item.tax = read_tax(*own, r.at("tax"), errors).value_or(tax);
  if (errors.size() != before) return std::nullopt;
  return item;
}

bool TariffItem::is_of(const std::string& provider, const std::string& network,
                       const std::string& path) const {
  const auto among = [](const std::vector<std::string>& names, const std::string& name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  return among(providers, provider) && among(networks, network) && among(paths, path);
}

}  // namespace anabranch::billing
