// SPDX-License-Identifier: BSD-3-Clause
// Ratings of links, networks and providers from what was measured over a second, a minute, an hour
// and thirty days. Not thread-safe; `now` is in seconds since 1970.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "control/rating_window.h"

namespace anabranch::control {

// Each window's rating counts by its confidence, n/(n + a quarter of the window) for n seconds
// measured, times 0.01, 0.67, 0.22 and 0.1: the last minute dominates as soon as it is known, and
// no single second moves what is shown. A rating that is shown follows only when it differs by more
// than two of 100; a link that is dead has 0 at once. A network's and a provider's is the mean of
// its links', weighted by capacity.
//
// A link holds 60 seconds, 60 minutes and 720 hours: 840 summaries, 34 kB; 64 links at most, those
// not measured for longest are forgotten.
class RatingHistory {
 public:
  static constexpr size_t kLinksMax = 64;
  static constexpr size_t kWindows = kWindowNames.size();
  static constexpr double kClearly = 2;

  // Once a second.
  void add(int64_t now, const std::vector<PathState>& paths);
  // Of the links of the last add(), and their networks and providers.
  Ratings ratings() const;
  // Of a link of the last add(); all without samples of another one.
  std::array<PathRecord, 3> records(const std::string& link) const;
  // {"links": [{"name", "rating", "confidence", "windows": [{"window", "rating", "confidence",
  // "samples", ...}]}], "networks": [...], "providers": [...]}
  nlohmann::json history(int64_t now) const;

  // All but the last minute's seconds: some 30 kB a link when the thirty days are full.
  nlohmann::json to_json() const;
  // The error is a sentence.
  static tl::expected<RatingHistory, std::string> from_json(const nlohmann::json& stored);

 private:
  struct Link {
    std::string provider, network;
    double capacity = 0;  // bits a second, both directions
    bool alive = false;
    int64_t seen = -1;  // the last add() with it
    SummaryRing seconds{60}, minutes{60}, hours{720};
    LinkSummary minute, hour, month;  // the long ones anew each minute
  };
  struct Window {
    LinkSummary summary;
    double rating = 0, confidence = 0;
  };
  using Windows = std::array<Window, kWindows>;
  struct Rated {
    double rating = 0, confidence = 0;
    uint64_t samples = 0;
    Windows windows;
  };
  using RatedByName = std::map<std::string, Rated>;
  using Shown = std::map<std::string, double>;

  void close_minute(Link& link, int64_t minute, int64_t now);
  void forget();
  static Windows windows_of(const Link& link, int64_t now);
  static Rated rated(const Link& link, int64_t now);
  RatedByName links(int64_t now) const;
  RatedByName means(const RatedByName& links, std::string Link::*name) const;
  static void follow(Shown& shown, const RatedByName& rated);

  int64_t last_ = -1;
  std::map<std::string, Link> links_;
  Shown shown_links_, shown_networks_, shown_providers_;
};

}  // namespace anabranch::control
