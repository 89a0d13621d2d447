// SPDX-License-Identifier: BSD-3-Clause
// Looks at paths, ratings and the session, and publishes what has changed. Control thread.
#pragma once

#include <map>
#include <string>

#include "control/feed.h"
#include "control/scenario.h"

namespace anabranch::control {

class Watch {
 public:
  // Of a rating from 0 to 100: what noise does not do.
  static constexpr double kRatingStep = 5;

  explicit Watch(Feed& feed) : feed_(feed) {}

  void paths(const std::vector<PathState>& paths);
  void session(bool is_up, const std::string& peer);
  void ratings(const Ratings& ratings);

 private:
  enum class Seen : uint8_t { dead, suspected, up };
  void ratings(const char* kind, const std::vector<std::pair<std::string, double>>& now);

  Feed& feed_;
  std::map<uint8_t, Seen> paths_;  // by index; not there: dead
  bool is_up_ = false;
  std::map<std::pair<std::string, std::string>, double> told_;  // ratings, by kind and name
};

}  // namespace anabranch::control
