// SPDX-License-Identifier: BSD-3-Clause
// EAL can be started once a process: so all tests that need it are in one program.
#include <gtest/gtest.h>
#include <rte_eal.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  char folder[] = "/tmp/anabranch-test-XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  setenv("RUNTIME_DIRECTORY", folder, 1);
  const char* eal[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
                       "-m",   "128",       "-l",          "0",        "--log-level=error"};
  if (rte_eal_init(static_cast<int>(std::size(eal)), const_cast<char**>(eal)) < 0) {
    std::fprintf(stderr, "EAL does not start\n");
    return 1;
  }
  const int result = RUN_ALL_TESTS();
  std::filesystem::remove_all(folder);
  return result;
}
