// SPDX-License-Identifier: BSD-3-Clause
// A disk that fails at its n-th operation, for each n and each way to fail. Afterwards what was
// acknowledged is there, at most what was under way is there beside it, and going on, the journal's
// totals are the meters'.
#include <gtest/gtest.h>

#include <map>

#include "billing/journal.h"
#include "billing/journal_reader.h"
#include "billing/journal_rewrite.h"
#include "billing/journal_verify.h"
#include "tests/billing/month.h"
#include "tests/billing/simulated_disk.h"

namespace anabranch::billing {
namespace {

using Meters = std::map<MeterKey, uint64_t>;  // octets
const std::string kSpoiltFolder = "/journal";

MeterKey key(uint64_t service, uint16_t path) {
  return {.region = 77, .service = service, .path = path};
}

Catalogue catalogue(int paths) {
  Catalogue c{.gateway = "here", .paths = {}, .services = {}};
  for (int i = 1; i <= paths; ++i)
    c.paths[static_cast<uint16_t>(i)] = {"link" + std::to_string(i), "alpha", "metro"};
  c.services[1] = {"acme", "std", "1", 5, std::nullopt};
  return c;
}

std::vector<Reading> readings(const Meters& meters) {
  std::vector<Reading> all;
  for (const auto& [k, octets] : meters) all.push_back({k, octets, octets / 100});
  return all;
}

// Meters, and a gateway that journals them, compacts and retires.
struct World {
  SimulatedDisk disk;
  Meters meters, acknowledged;
  std::vector<std::string> notices;
  int seconds = 0;
  bool read_back = true, retire = true;

  tl::expected<std::unique_ptr<Journal>, std::string> open() {
    return Journal::open({.folder = kSpoiltFolder,
                          .gateway = "here",
                          .segment_octets = 16 * kBlock,
                          .read_back = read_back,
                          .prepare_in_background = false,
                          .notice = [this](const std::string& n) { notices.push_back(n); },
                          .disk = &disk});
  }
  bool second(Journal& journal) {
    ++seconds;
    for (uint16_t path = 1; path <= 3; ++path) {
      if (path != 3 || seconds % 7 == 0) meters[key(path % 2, path)] += 1000 + path;
    }
    if (!journal.record(readings(meters), seconds * 20 * kSecondNs)) return false;
    acknowledged = meters;
    return true;
  }
  // Several segments, two starts. Returns how often a call failed.
  int live(int rounds = 30) {
    int failed = 0;
    for (int start = 0; start < 2; ++start) {
      auto journal = open();
      if (!journal) {
        ++failed;
        continue;
      }
      for (int i = 0; i < rounds; ++i) {
        (*journal)->set_catalogue(catalogue(3 + i / 10));
        failed += !second(**journal);
        if (i % 6 != 5) continue;
        // Whatever it says, the journal must stay right.
        static_cast<void>((*journal)->maintain(
            {.keep_octets = retire ? 5 * 16 * kBlock : 0, .compact_after_ns = 40 * kSecondNs},
            (*journal)->acknowledged(), seconds * 20 * kSecondNs));
      }
    }
    return failed;
  }
};

// The totals of a journal, added up here: each interval must begin where the one before ended, or
// before.
tl::expected<Meters, std::string> totals(SimulatedDisk& disk) {
  Meters through;
  FolderReader reader(disk, kSpoiltFolder, {});
  uint64_t first = 0;
  for (;;) {
    const auto frame = reader.next();
    if (!frame) return tl::unexpected(frame.error().text());
    if (!*frame) return through;
    if (first == 0) first = (*frame)->segment;
    for (const TotalRecord& t : (*frame)->totals()) {
      if ((*frame)->segment == first) through[t.key] = t.octets;
      if (through[t.key] < t.octets) return tl::unexpected(std::string("a gap before totals"));
    }
    for (const UsageRecord& r : (*frame)->usage()) {
      if (r.octets_from > through[r.key])
        return tl::unexpected(
            "a gap before " + std::to_string((*frame)->segment) + ":" +
            std::to_string((*frame)->offset) + " path " + std::to_string(r.key.path) + " from " +
            std::to_string(through[r.key]) + " to " + std::to_string(r.octets_from));
      if (r.octets_to < r.octets_from || r.wall_to_ns < r.wall_from_ns)
        return tl::unexpected(std::string("a record that goes back"));
      through[r.key] = std::max(through[r.key], r.octets_to);
    }
  }
}

// Octet for octet what was acknowledged, or up to what was under way.
void expect_between(const Meters& low, const Meters& found, const Meters& high) {
  for (const auto& [k, octets] : low) {
    const auto at = found.find(k);
    EXPECT_GE(at == found.end() ? 0 : at->second, octets) << "path " << k.path;
  }
  for (const auto& [k, octets] : found) {
    const auto at = high.find(k);
    EXPECT_LE(octets, at == high.end() ? 0 : at->second) << "path " << k.path;
  }
}

bool may_damage(Fault fault) {
  return fault >= Fault::lost_write;
}

// After a fault and a crash.
void check(World& world, Fault fault, SimulatedDisk::Crash how) {
  world.disk.crash(how);
  bool repaired = false;
  {
    auto journal = world.open();
    if (!journal) {
      ASSERT_TRUE(may_damage(fault)) << journal.error();
      for (const char* told : {"/journal/0000", "offset ", "frame ", "repair"})
        EXPECT_NE(journal.error().find(told), std::string::npos) << journal.error();
    }
  }
  auto found = totals(world.disk);
  if (!found) {
    ASSERT_TRUE(may_damage(fault))
        << found.error() << to_text(*verify_journal(world.disk, kSpoiltFolder));
    const auto report = verify_journal(world.disk, kSpoiltFolder);
    EXPECT_FALSE(report->whole());
    SCOPED_TRACE(to_text(*report));
    const auto done = repair_journal(world.disk, kSpoiltFolder);
    ASSERT_TRUE(done.has_value()) << done.error();
    EXPECT_FALSE(done->empty());
    std::string said;
    for (const std::string& sentence : *done) said += sentence + "\n";
    SCOPED_TRACE(said);
    repaired = true;
    found = totals(world.disk);
    ASSERT_TRUE(found.has_value()) << found.error();
  }
  // What was destroyed of a meter's last records only the meter knows.
  expect_between(
      repaired || (may_damage(fault) && !world.read_back) ? Meters{} : world.acknowledged, *found,
      world.meters);
  auto journal = world.open();
  ASSERT_TRUE(journal.has_value()) << journal.error();
  EXPECT_FALSE((*journal)->catalogue().paths.empty() && !world.acknowledged.empty() && !repaired &&
               !may_damage(fault));
  ASSERT_TRUE((*journal)->record(readings(world.meters), world.seconds * 20 * kSecondNs));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(world.second(**journal));
  journal->reset();
  found = totals(world.disk);
  ASSERT_TRUE(found.has_value()) << found.error();
  EXPECT_EQ(*found, world.meters);
  const auto report = verify_journal(world.disk, kSpoiltFolder);
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->whole()) << to_text(*report);
}

struct Case {
  Fault fault;
  bool read_back;
};

class JournalFaults : public testing::TestWithParam<Case> {};

TEST_P(JournalFaults, AtTheNthOperationForEachN) {
  using Crash = SimulatedDisk::Crash;
  const auto [fault, read_back] = GetParam();
  bool reached = true;
  uint64_t n = 1;
  for (; reached; ++n) {
    for (const Crash how :
         {Crash::keeps_all, Crash::loses_all_unsynced, Crash::loses_unsynced_data}) {
      SCOPED_TRACE("operation " + std::to_string(n) + ", crash " +
                   std::to_string(static_cast<int>(how)));
      World world;
      world.read_back = read_back;
      world.retire = n % 2 == 0;
      world.disk.fail(fault, n, n);
      try {
        world.live();
        reached = world.disk.reached();
      } catch (const Killed&) {
      }
      check(world, fault, how);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(n, 100u);
}

// While it does not recover, too.
TEST_P(JournalFaults, FromTheNthOperationOnForAWhile) {
  const auto [fault, read_back] = GetParam();
  if (fault <= Fault::kill_after) return;               // only once
  if (fault > Fault::lost_write && !read_back) return;  // all of several files is then elsewhere
  bool reached = true;
  for (uint64_t n = 1; reached; ++n) {
    for (const uint64_t length : {3, 9, 40}) {
      SCOPED_TRACE("operations " + std::to_string(n) + " to " + std::to_string(n + length));
      World world;
      world.read_back = read_back;
      world.disk.fail(fault, n, n + length);
      world.live();
      reached = world.disk.reached();
      check(world, fault, SimulatedDisk::Crash::loses_all_unsynced);
      if (HasFailure()) return;
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Fault fault : kAllFaults) {
    all.push_back({fault, true});
    if (may_damage(fault)) all.push_back({fault, false});
  }
  return all;
}
std::string case_name(const testing::TestParamInfo<Case>& info) {
  static const std::map<Fault, const char*> kNames{
      {Fault::kill_before, "KillBefore"},
      {Fault::kill_torn, "KillTorn"},
      {Fault::kill_torn_head, "KillTornHead"},
      {Fault::kill_after, "KillAfter"},
      {Fault::io_error, "IoError"},
      {Fault::io_error_torn, "IoErrorTorn"},
      {Fault::io_error_after, "IoErrorAfter"},
      {Fault::disk_full, "DiskFull"},
      {Fault::short_write, "ShortWrite"},
      {Fault::lost_write, "LostWrite"},
      {Fault::misdirected_forward, "MisdirectedForward"},
      {Fault::misdirected_back, "MisdirectedBack"},
      {Fault::misdirected_file, "MisdirectedFile"}};
  return std::string(kNames.at(info.param.fault)) + (info.param.read_back ? "" : "Unnoticed");
}
INSTANTIATE_TEST_SUITE_P(Each, JournalFaults, testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace anabranch::billing
