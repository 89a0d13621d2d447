// SPDX-License-Identifier: BSD-3-Clause
// Adds one octet to what service 1 sent on path 1, in the meters of a running gateway: what the
// check of the quickstart must catch.
//
//     falsify_meter FILE_OF_METERS
#include <cstdio>

#include "dataplane/meter.h"

using namespace anabranch::dataplane;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: falsify_meter FILE_OF_METERS\n");
    return 2;
  }
  auto meters = Meters::open(argv[1]);
  if (!meters || meters->fresh()) {
    std::fprintf(stderr, "%s: %s\n", argv[1], meters ? "were not there" : meters.error().c_str());
    return 1;
  }
  constexpr uint16_t kSlot = 1;  // of the first service
  meters->region()
      .workers[0]
      .services[kSlot]
      .places[path_place(1)][static_cast<size_t>(Direction::sent)][static_cast<size_t>(Kind::first)]
      .octets.add(1);
  return 0;
}
