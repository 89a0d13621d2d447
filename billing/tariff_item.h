// SPDX-License-Identifier: BSD-3-Clause
// One item of a tariff: which octets it charges, and how.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "billing/document_reader.h"
#include "billing/money.h"
#include "billing/tax.h"
#include "billing/usage.h"

namespace anabranch::billing {

inline constexpr uint64_t kOctetsPerGb = 1'000'000'000;
// Times of day that a tariff has: bits of a mask (time_bands.h).
inline constexpr size_t kWindowsMax = 64;

// Local times of day, on weekdays on which they begin. In steps of a sample (samples.h), so that a
// compacted journal is charged like the one before.
struct TimeWindow {
  static constexpr uint16_t kDay = 24 * 60;
  uint8_t days = 0x7f;  // bit 0: Monday
  uint16_t from_minute = 0;
  uint16_t to_minute = kDay;  // not behind `from`: of the next day
  bool operator==(const TimeWindow&) const = default;
};

// Octets up to a total of `up_to` in the period, that one included.
struct Tier {
  uint64_t up_to = UINT64_MAX;
  Amount per_octet;
};

struct PerOctet {
  Amount price;
};
struct Graduated {  // each octet at the price of the tier it falls in
  std::vector<Tier> tiers;
};
struct Volume {  // all octets at the price of the tier reached
  std::vector<Tier> tiers;
};
struct Allowance {  // the first octets are free
  uint64_t octets = 0;
  Amount per_octet;  // of those behind them
};
// The n-th percentile (nearest rank) of the rates of all five-minute slots of the period.
struct Percentile {
  enum class Of : uint8_t { higher, sum };  // of the directions
  Of of = Of::higher;
  uint8_t percent = 95;
  uint64_t commit_bps = 0;  // charged whatever is used
  Amount per_mbps, overage_per_mbps;
};
// What the provider's own tariff comes to, for what this item charges of it, and a margin. Its fees
// are passed on once, by the first such item that charges usage of it, and not without usage.
struct PassThrough {
  Amount percent;  // margin; "7.5" is 7.5
  Amount per_octet;
};
struct Flat {
  Amount fee;  // a cycle
};
// At least so much is charged by those items; what they lack is.
struct Commit {
  Amount least;                    // a cycle
  std::vector<std::string> items;  // none: all that charge usage
};
struct Free {};
using Model = std::variant<PerOctet, Graduated, Volume, Allowance, Percentile, PassThrough, Flat,
                           Commit, Free>;

struct TariffItem {
  std::string id;
  std::string description;  // may be empty
  // Whose octets are charged; empty: all. Of a fee or a commit: whose it is, at most one.
  std::vector<std::string> providers;
  std::vector<std::string> networks, paths;
  std::optional<Direction> direction;
  uint8_t kinds = 0x7f;  // bits, by Kind
  std::vector<TimeWindow> times;
  Model model;
  bool prorated = true;  // fees, commits and allowances are those of a whole cycle
  Tax tax;

  bool charges_usage() const {
    return !std::holds_alternative<Flat>(model) && !std::holds_alternative<Commit>(model);
  }
  // Whether it charges what is carried there.
  bool is_of(const std::string& provider, const std::string& network,
             const std::string& path) const;
  bool charges(Kind kind) const { return (kinds >> static_cast<unsigned>(kind) & 1) != 0; }
};

// nullopt after a mistake. `tax`: the tariff's, for items that name none.
std::optional<TariffItem> read_item(const nlohmann::json& document, const std::string& at,
                                    const Tax& tax, DocumentErrors& errors);
// A price per GB as a price per octet, exact: it has at most nine decimals.
std::optional<Amount> read_per_gb(DocumentReader& reader, const char* name, bool required = true);

}  // namespace anabranch::billing
