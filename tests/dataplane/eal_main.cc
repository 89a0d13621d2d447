// SPDX-License-Identifier: BSD-3-Clause
// EAL can be started once a process, so the tests that need it share this one start.
#include <gtest/gtest.h>
#include <rte_eal.h>

#include <array>
#include <cstdio>
#include <string>

#include "tests/dataplane/temporary_folder.h"
#include "tests/dataplane/two_gateways.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (argc == 3 && std::string(argv[1]) == "--workers")
    anabranch::dataplane::gateway_workers() = static_cast<uint8_t>(std::stoul(argv[2]));
  const anabranch::dataplane::TemporaryFolder runtime;
  setenv("RUNTIME_DIRECTORY", runtime.path().c_str(), 1);
  std::array<std::string, 10> arguments{
      argv[0], "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
      "-m",    "256",       "-l",          "0",        "--log-level=error"};
  std::array<char*, 10> pointers{};
  for (size_t i = 0; i < arguments.size(); ++i) pointers[i] = arguments[i].data();
  if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0) {
    std::fputs("EAL does not start; without it nothing can be tested here\n", stderr);
    return 1;
  }
  const int result = RUN_ALL_TESTS();
  rte_eal_cleanup();
  return result;
}
