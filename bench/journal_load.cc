// SPDX-License-Identifier: BSD-3-Clause
// Writes a journal as fast as it becomes durable, or reads one as charging would; for bench/journal
// and the tests of the command line. Prints one JSON object.
#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "billing/journal.h"
#include "billing/journal_format.h"
#include "billing/journal_reader.h"

namespace {

using namespace anabranch::billing;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string folder;
  uint64_t frame_octets = 4096, megabytes = 64, segment_mb = 256, seconds_apart = 1;
  double seconds = 3;
  bool read_back = false, background = false;
  int rounds = 0;  // instead of seconds
};

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "journal_load: {}\n", what);
  std::exit(1);
}

Catalogue catalogue() {
  Catalogue c{.gateway = "bench", .paths = {}, .services = {}};
  c.paths[1] = {"fibre", "northfibre", "metro"};
  c.paths[2] = {"mobile", "airmobile", "lte"};
  for (uint64_t id = 1; id <= 4; ++id) c.services[id] = {"acme", "std", "1", 1, std::nullopt};
  return c;
}

// Each commit is one frame of frame_octets: as many meters advance as fill it.
int write(const Options& o) {
  const size_t meters = (o.frame_octets - sizeof(FrameHeader)) / sizeof(UsageRecord);
  auto journal = Journal::open({.folder = o.folder,
                                .gateway = "bench",
                                .segment_octets = static_cast<uint32_t>(o.segment_mb << 20),
                                .read_back = o.read_back,
                                .prepare_in_background = o.background});
  if (!journal) fail(journal.error());
  (*journal)->set_catalogue(catalogue());
  std::vector<Reading> readings(meters);
  const uint64_t region = std::random_device()();  // each run's meters begin at zero
  for (size_t i = 0; i < meters; ++i) {
    readings[i].key = {.region = region,
                       .service = i % 5,
                       .worker = static_cast<uint16_t>(i / 20),
                       .path = static_cast<uint16_t>(1 + i % 2),
                       .direction = i % 4 < 2 ? Direction::sent : Direction::received};
  }
  int64_t wall_ns = 1'790'000'000'000'000'000;
  const auto more = [&] {
    wall_ns += static_cast<int64_t>(o.seconds_apart) * 1'000'000'000;
    for (Reading& r : readings) {
      r.octets += 1500;
      r.packets += 1;
    }
    (*journal)->add(readings, wall_ns);
  };
  const auto check = [](const auto& result) {
    if (!result) fail(result.error());
  };
  more();
  check((*journal)->commit());  // opens the segment; without --background, makes the next one, too
  std::vector<double> waits;
  uint64_t frames = 0;
  const uint64_t frames_max =
      o.rounds > 0 ? static_cast<uint64_t>(o.rounds) : (o.megabytes << 20) / o.frame_octets;
  const auto start = Clock::now();
  while (frames < frames_max && (o.rounds > 0 || since(start) < o.seconds)) {
    const auto begun = Clock::now();
    more();  // while the one before is being written
    check((*journal)->advance(true));
    waits.push_back(since(begun));
    ++frames;
  }
  check((*journal)->commit());
  const double took = since(start);
  std::sort(waits.begin(), waits.end());
  fmt::print(
      "{{\"frames\": {}, \"seconds\": {:.6f}, \"mib_s\": {:.3f}, \"p50_ms\": {:.4f}, "
      "\"p99_ms\": {:.4f}, \"max_ms\": {:.4f}, \"records_s\": {:.0f}}}\n",
      frames, took, static_cast<double>(frames * o.frame_octets) / took / (1 << 20),
      waits[waits.size() / 2] * 1e3, waits[waits.size() * 99 / 100] * 1e3, waits.back() * 1e3,
      static_cast<double>(frames * meters) / took);
  return 0;
}

// All of it, added up.
int read(const std::vector<std::string>& folders) {
  JournalReader reader(folders, {}, real_disk(false));
  uint64_t records = 0, octets = 0, file_octets = 0;
  const auto start = Clock::now();
  for (;;) {
    const auto frame = reader.next();
    if (!frame) fail(frame.error().text());
    if (!*frame) break;
    file_octets += frame_length((*frame)->payload.size());
    for (const UsageRecord& r : (*frame)->usage()) octets += r.octets_to - r.octets_from;
    records += (*frame)->usage().size();
  }
  const double took = since(start);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"records\": {}, \"octets\": {}, \"seconds\": {:.6f}, \"records_s\": {:.0f}, "
      "\"gb_s\": {:.3f}, \"memory_kib\": {}}}\n",
      records, octets, took, static_cast<double>(records) / took,
      static_cast<double>(file_octets) / took / 1e9, usage.ru_maxrss);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  std::vector<std::string> folders;
  CLI::App app{"Load for the usage journal."};
  app.require_subcommand(1);
  auto* w = app.add_subcommand("write", "as fast as it becomes durable");
  w->add_option("folder", o.folder)->required();
  w->add_option("--frame", o.frame_octets, "octets a frame")->check(CLI::Range(4096, 1 << 20));
  w->add_option("--mb", o.megabytes, "at most");
  w->add_option("--seconds", o.seconds, "at most");
  w->add_option("--rounds", o.rounds, "commits, instead");
  w->add_option("--segment-mb", o.segment_mb)->take_last();
  w->add_option("--seconds-apart", o.seconds_apart, "of the records' own time");
  w->add_flag("--background", o.background, "make the next segment meanwhile, as a gateway does");
  w->add_flag("--read-back", o.read_back, "read each write again");
  auto* r = app.add_subcommand("read", "all of it");
  r->add_option("folders", folders)->required();
  CLI11_PARSE(app, argc, argv);
  return *w ? write(o) : read(folders);
}
