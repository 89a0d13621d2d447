// SPDX-License-Identifier: BSD-3-Clause
// Whether an event of a processor would be believed, for comparison with the processor's own
// client:
//
//   check_event SECONDS HEADER SECRET…   with the body from standard input; 0: believed
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>

#include "billing/card_events.h"

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::string body{std::istreambuf_iterator<char>(std::cin), {}};
  const std::vector<std::string> secrets(argv + 3, argv + argc);
  const auto checked = anabranch::billing::check_signature(body, argv[2], secrets,
                                                           std::atoll(argv[1]) * 1'000'000'000);
  if (!checked) std::fprintf(stderr, "%s\n", checked.error().c_str());
  return checked ? 0 : 1;
}
