// SPDX-License-Identifier: BSD-3-Clause
// What a journal says of itself: which gateway, and what its ids of paths and services mean. A path
// or service of several gateways is named (gateway, id).
//
// As JSON, in frames of at most 1 MiB, each adding to those before it:
//   {"gateway":"a","paths":[{"id":1,"name":"fibre","provider":"northfibre","network":"metro"}],
//    "services":[{"id":7,"client":"acme","tariff":"std","version":"3","opened_ns":1,"closed_ns":2}]}
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace anabranch::billing {

struct Catalogue {
  struct Path {
    std::string name, provider, network;
    bool operator==(const Path&) const = default;
  };
  struct Service {
    std::string client, tariff, tariff_version;
    int64_t opened_ns = 0;
    std::optional<int64_t> closed_ns;
    bool operator==(const Service&) const = default;
  };
  std::string gateway;
  std::map<uint16_t, Path> paths;
  std::map<uint64_t, Service> services;
  bool operator==(const Catalogue&) const = default;

  // What `newer` has and this has not, or otherwise.
  Catalogue changes_to(const Catalogue& newer) const;
  void add(const Catalogue& more);
};

std::vector<std::string> to_frames(const Catalogue& catalogue);
// False: not such a text; `into` is as it was.
bool add_frame(Catalogue& into, std::string_view text);

// The first frame of each segment, as JSON.
struct Opening {
  uint64_t journal = 0;
  uint64_t segment = 0;
  std::string gateway;
  int64_t begun_ns = 0;
  // What follows it: TotalRecords, and frames of the catalogue.
  uint64_t totals = 0, catalogue_frames = 0;
  // The segment before: its number (0: none), where it ended, its last frame, and the wall-clock
  // range of its usage: the index by time.
  uint64_t previous_segment = 0;
  uint64_t previous_end = 0;
  uint64_t previous_sequence = 0;
  int64_t previous_wall_first_ns = 0, previous_wall_last_ns = 0;
};
std::string to_text(const Opening& opening);
std::optional<Opening> parse_opening(std::string_view text);

}  // namespace anabranch::billing
