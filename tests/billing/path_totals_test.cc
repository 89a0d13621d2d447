// SPDX-License-Identifier: BSD-3-Clause
// What uplinks carried, from the journal and from there on: as after a restart at any moment.
#include "billing/path_totals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "billing/journal.h"

namespace anabranch::billing {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'790'000'000 * kSecondNs;
const std::map<uint16_t, Catalogue::Path> kPaths{{3, {"fibre", "northfibre", "metro"}}};

Reading total(uint64_t octets, Direction direction = Direction::sent) {
  return {{.region = 9, .service = kPathTotal, .path = 3, .direction = direction}, octets, 0};
}

class PathTotalsOnDisk : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/var/tmp/anabranch-totals-XXXXXX";  // tmpfs has no O_DIRECT
    folder_ = mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::unique_ptr<Journal> open() {
    auto journal =
        Journal::open({.folder = folder_, .gateway = "here", .segment_octets = 64u << 10});
    EXPECT_TRUE(journal.has_value()) << (journal ? "" : journal.error());
    (*journal)->set_catalogue({.gateway = "here", .paths = kPaths, .services = {}});
    return std::move(*journal);
  }
  // As a process does that starts now: returns what it counts from `from_ns` on.
  uint64_t counted(int64_t from_ns, const std::vector<Reading>& meters, int64_t now_ns) {
    uint64_t sum = 0;
    const auto add = [&](const Catalogue::Path& path, Direction, uint64_t octets,
                         const Period& time) {
      EXPECT_EQ(path.name, "fibre");
      if (time.to_ns >= from_ns) sum += octets;
    };
    PathTotals totals;
    const auto read = totals.read(folder_, from_ns, add);
    EXPECT_TRUE(read.has_value()) << (read ? "" : read.error());
    totals.read(meters, kPaths, now_ns, add);
    totals.read(meters, kPaths, now_ns + kSecondNs, add);  // and again: nothing more
    return sum;
  }
  std::string folder_;
};

// Killed at any moment: what the journal has not is in the meters, which outlive the process.
TEST_F(PathTotalsOnDisk, LoseAndDoubleNoOctetWhereverAProcessEnds) {
  std::mt19937_64 random(5);
  uint64_t octets = 0;
  int64_t now_ns = kStartNs;
  for (int process = 0; process < 12; ++process) {
    auto journal = open();
    for (uint64_t n = random() % 60; n-- > 0;) {
      octets += random() % 100'000;
      now_ns += kSecondNs;
      ASSERT_TRUE(journal->record(std::vector{total(octets)}, now_ns).has_value());
    }
    journal.reset();
    octets += random() % 100'000;  // counted, and not journaled: it was killed
    now_ns += kSecondNs;
    ASSERT_EQ(counted(kStartNs, {total(octets)}, now_ns), octets) << "process " << process;
  }
}

// Far more segments than the cycle needs are not read; how far meters were read is known all the
// same.
TEST_F(PathTotalsOnDisk, KnowWhatWasCountedBeforeAndIsNoneOfThisCycle) {
  auto journal = open();
  uint64_t octets = 0;
  int64_t now_ns = kStartNs;
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(
        journal->record(std::vector{total(octets += 1000)}, now_ns += kSecondNs).has_value());
  const int64_t cycle_ns = now_ns + 1;
  EXPECT_EQ(counted(cycle_ns, {total(octets)}, now_ns += kSecondNs), 0u) << "it stood still";
  EXPECT_EQ(counted(cycle_ns, {total(octets + 77)}, now_ns += kSecondNs), 77u);
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(
        journal->record(std::vector{total(octets += 1000)}, now_ns += kSecondNs).has_value());
  EXPECT_EQ(counted(cycle_ns, {total(octets)}, now_ns), 200'000u);
}

TEST_F(PathTotalsOnDisk, OfAnEmptyJournalAreTheMeters) {
  open().reset();
  EXPECT_EQ(counted(kStartNs, {total(5), total(7, Direction::received)}, kStartNs), 12u);
}

}  // namespace
}  // namespace anabranch::billing
