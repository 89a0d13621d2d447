// SPDX-License-Identifier: BSD-3-Clause
// Runs the simulation for each seed, and says what promises were broken. `--plant` shows that each
// would be missed: every bug that is planted must be found.
#include <fmt/format.h>
#include <rte_eal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>

#include "dataplane/eal.h"
#include "tests/dataplane/temporary_folder.h"
#include "tests/simulation/world.h"

namespace anabranch::simulation {
namespace {

struct Planted {
  const char* name;
  Plant plant;
  const char* complaint;  // that must be made about it
};
constexpr std::array<Planted, 8> kPlants{{{"duplicate", Plant::duplicate, "came out twice"},
                                          {"reorder", Plant::reorder, "out of order"},
                                          {"lose", Plant::lose, "were lost"},
                                          {"corrupt", Plant::corrupt, "was changed"},
                                          {"unmetered", Plant::unmetered, "metered as"},
                                          {"unaccounted", Plant::unaccounted, "of flows come to"},
                                          {"leak", Plant::leak, "buffers in use"},
                                          {"unbounded", Plant::unbounded, "would be the most"}}};

struct Options {
  uint64_t first = 1, last = 200;
  uint8_t workers = 1;
  bool plants = false, verbose = false;
};

bool start_eal(const char* program, const dataplane::TemporaryFolder& folder) {
  setenv("RUNTIME_DIRECTORY", folder.path().c_str(), 1);
  std::array<std::string, 10> arguments{
      program, "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
      "-m",    "1024",      "-l",          "0",        "--log-level=error"};
  std::array<char*, 10> pointers{};
  for (size_t i = 0; i < arguments.size(); ++i) pointers[i] = arguments[i].data();
  return rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) >= 0;
}

void say_broken(const Conditions& conditions, const Outcome& outcome) {
  fmt::print("{}", conditions.text());
  for (const std::string& sentence : outcome.broken) fmt::print("  {}\n", sentence);
}

// How many seeds broke a promise.
uint64_t run_seeds(const Options& options, rte_mempool* pool) {
  const auto begin = std::chrono::steady_clock::now();
  uint64_t failed = 0;
  Outcome sum;
  for (uint64_t seed = options.first; seed <= options.last; ++seed) {
    const Conditions conditions(seed);
    const Outcome outcome = World(conditions, pool, Plant::none, options.workers).run();
    sum.packets += outcome.packets;
    sum.repaired += outcome.repaired;
    sum.dropped += outcome.dropped;
    if (!outcome.broken.empty()) {
      ++failed;
      say_broken(conditions, outcome);
      fmt::print("  again: build/tests/simulation --workers {} --seeds {}\n\n", options.workers,
                 seed);
    } else if (options.verbose) {
      fmt::print("{}  {} packets, {} repaired, {} dropped with a reason\n", conditions.text(),
                 outcome.packets, outcome.repaired, outcome.dropped);
    }
    std::fflush(stdout);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print(
      "{} of {} seeds broke a promise; {} packets of hosts, {} repaired, {} dropped with a reason, "
      "in {:.1f} s\n",
      failed, options.last - options.first + 1, sum.packets, sum.repaired, sum.dropped,
      took.count());
  return failed;
}

// How many planted bugs were not found.
uint64_t run_plants(const Options& options, rte_mempool* pool) {
  uint64_t missed = 0;
  uint64_t seed = options.first;
  while (!Conditions(seed).all_is_promised()) ++seed;
  const Conditions conditions(seed);
  for (const auto& [name, plant, complaint] : kPlants) {
    const Outcome outcome = World(conditions, pool, plant, options.workers).run();
    const auto found = std::find_if(
        outcome.broken.begin(), outcome.broken.end(),
        [&](const std::string& said) { return said.find(complaint) != std::string::npos; });
    missed += found == outcome.broken.end();
    fmt::print("{}: {}\n", name, found == outcome.broken.end() ? "NOT FOUND" : *found);
  }
  return missed;
}

}  // namespace
}  // namespace anabranch::simulation

int main(int argc, char** argv) {
  using namespace anabranch;
  simulation::Options options;
  std::string seeds = "1..200";
  CLI::App app{"Two gateways in a world of bad links: what they promise is checked for each seed."};
  app.add_option("--seeds", seeds, "one, or FIRST..LAST")->capture_default_str();
  app.add_option("--workers", options.workers, "of each gateway, polled in turn")
      ->check(CLI::Range(1, 16));
  app.add_flag("--plant", options.plants, "plant one bug after the other; each must be found");
  app.add_flag("--verbose", options.verbose, "tell of each seed");
  CLI11_PARSE(app, argc, argv);
  const size_t dots = seeds.find("..");
  try {
    options.first = std::stoull(seeds);
    options.last = dots == std::string::npos ? options.first : std::stoull(seeds.substr(dots + 2));
  } catch (const std::exception&) {
    fmt::print(stderr, "--seeds: expected a number, or FIRST..LAST, not '{}'\n", seeds);
    return 2;
  }
  const dataplane::TemporaryFolder folder;
  if (!simulation::start_eal(argv[0], folder)) {
    fmt::print(stderr, "EAL does not start; see what it said above\n");
    return 2;
  }
  rte_mempool* const pool = dataplane::create_pool(131071).value();
  const uint64_t failed =
      options.plants ? simulation::run_plants(options, pool) : simulation::run_seeds(options, pool);
  rte_eal_cleanup();
  return failed == 0 ? 0 : 1;
}
