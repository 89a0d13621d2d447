// SPDX-License-Identifier: BSD-3-Clause
// The journal as it is read: alone, damaged, compacted, in part, while it is written; and on a real
// disk. What its disk may do to it is in journal_faults_test.cc.
#include "billing/journal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "billing/journal_reader.h"
#include "billing/journal_rewrite.h"
#include "billing/journal_verify.h"
#include "tests/billing/month.h"
#include "tests/billing/simulated_disk.h"

namespace anabranch::billing {
namespace {

namespace fs = std::filesystem;
const std::string kFolder = "/journal";

Reading reading(uint64_t service, uint16_t path, uint64_t octets) {
  return {{.region = 77, .service = service, .path = path}, octets, octets / 100};
}

Catalogue catalogue(const std::string& client) {
  Catalogue c{.gateway = "here", .paths = {}, .services = {}};
  c.paths[1] = {"fibre", "alpha", "metro"};
  c.services[1] = {client, "std", "3", 5, 9};
  return c;
}

using Totals = std::map<MeterKey, uint64_t>;

class JournalTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> open(uint64_t charged_through = 0) {
    auto journal = Journal::open({.folder = kFolder,
                                  .gateway = "here",
                                  .segment_octets = 16 * kBlock,
                                  .prepare_in_background = false,
                                  .charged_through = charged_through,
                                  .notice = [this](const std::string& n) { notices_ += n + "\n"; },
                                  .disk = &disk_});
    EXPECT_TRUE(journal.has_value()) << (journal ? "" : journal.error());
    return journal ? std::move(*journal) : nullptr;
  }
  // A meter that counts 1000 octets a second.
  void run(Journal& journal, int seconds) {
    for (int i = 0; i < seconds; ++i) {
      ++now_;
      ASSERT_TRUE(journal.record(std::vector{reading(1, 1, now_ * 1000)},
                                 static_cast<int64_t>(now_) * kSecondNs));
    }
  }
  tl::expected<std::vector<JournalFrame>, JournalFault> frames(WallRange range = {}) {
    FolderReader reader(disk_, kFolder, {.range = range});
    std::vector<JournalFrame> all;
    for (;;) {
      auto frame = reader.next();
      if (!frame) return tl::unexpected(frame.error());
      if (!*frame) return all;
      all.push_back(std::move(**frame));
    }
  }
  std::vector<JournalFrame> all_frames() {
    auto all = frames();
    EXPECT_TRUE(all.has_value()) << (all ? "" : all.error().text());
    return all ? std::move(*all) : std::vector<JournalFrame>();
  }
  uint64_t total() {
    const auto all = frames();
    EXPECT_TRUE(all.has_value()) << (all ? "" : all.error().text());
    uint64_t through = 0;
    if (!all) return 0;
    for (const JournalFrame& frame : *all) {
      for (const UsageRecord& r : frame.usage()) through = r.octets_to;
    }
    return through;
  }
  std::string name(uint64_t number) { return segment_name(kFolder, number); }
  JournalReport verified() { return verify_journal(disk_, kFolder).value(); }

  SimulatedDisk disk_;
  std::string notices_;
  uint64_t now_ = 0;
};

TEST_F(JournalTest, ASlowDiskHoldsUpNobodyAndLosesNoCount) {
  auto journal = open();
  run(*journal, 1);
  disk_.hold = true;
  uint64_t octets[3] = {};
  for (uint64_t i = 1; i <= 10'000; ++i) {
    for (uint64_t m = 0; m < 3; ++m) octets[m] = 5000 + i * (m + 1);
    journal->add(
        std::vector{reading(1, 1, octets[0]), reading(2, 1, octets[1]), reading(3, 1, octets[2])},
        static_cast<int64_t>(i) * kSecondNs);
    ASSERT_TRUE(journal->advance(false));
    ASSERT_LE(journal->waiting(), 3u);  // one record a meter, however long it takes
  }
  const uint64_t before = journal->acknowledged();
  disk_.hold = false;
  ASSERT_TRUE(journal->commit());
  EXPECT_EQ(journal->acknowledged() - before, 2u);  // what was under way, and all that gathered
  Totals through;
  for (const JournalFrame& frame : all_frames()) {
    for (const UsageRecord& r : frame.usage()) {
      EXPECT_EQ(r.octets_from, through[r.key]);
      through[r.key] = r.octets_to;
    }
  }
  for (uint64_t m = 0; m < 3; ++m) EXPECT_EQ(through[reading(m + 1, 1, 0).key], octets[m]);
}

TEST_F(JournalTest, ManyMetersMakeSeveralFramesInOneCommit) {
  auto journal = open();
  std::vector<Reading> readings;
  for (uint16_t i = 0; i < 40'000; ++i) readings.push_back(reading(i, i, 100 + i));
  for (int round = 1; round <= 2; ++round) {
    ASSERT_EQ(journal->record(readings, round * kSecondNs).value(), readings.size());
    for (Reading& r : readings) r.octets += 7;
  }
  journal.reset();
  EXPECT_TRUE(verified().whole()) << to_text(verified());
  EXPECT_EQ(verified().records, 80'000u);
  // Going on, the last segment's totals tell all of them.
  journal = open();
  EXPECT_EQ(journal->record(readings, 3 * kSecondNs).value(), readings.size());
  EXPECT_EQ(journal->went_backwards(), 0u);
  EXPECT_TRUE(verified().whole()) << to_text(verified());
}

TEST_F(JournalTest, AnIdleMetersNextRecordBeginsWhenItWasLastReadUnchanged) {
  auto journal = open();
  for (int64_t second = 1; second <= 60; ++second)
    ASSERT_TRUE(
        journal->record(std::vector{reading(1, 1, second == 60 ? 900 : 500)}, second * kSecondNs));
  UsageRecord last;
  for (const JournalFrame& frame : all_frames()) {
    if (!frame.usage().empty()) last = frame.usage().back();
  }
  EXPECT_EQ(last.wall_from_ns, 59 * kSecondNs);
  EXPECT_EQ(last.wall_to_ns, 60 * kSecondNs);
}

TEST_F(JournalTest, EachSegmentTellsItsNamesAndTotals) {
  auto journal = open();
  journal->set_catalogue(catalogue("acme"));
  run(*journal, 5);
  journal->set_catalogue(catalogue("umbrella"));  // a change is told at once
  run(*journal, 60);
  journal.reset();
  const auto numbers = list_segments(disk_, kFolder).value();
  ASSERT_GT(numbers.size(), 4u);
  for (size_t i = 0; i + 1 < numbers.size(); ++i) {  // the last is empty yet
    auto segment = SegmentReader::open(disk_, kFolder, numbers[i]);
    ASSERT_TRUE(segment.has_value());
    JournalPosition position{.segment = numbers[i]};
    Catalogue said;
    std::vector<std::string> clients;
    uint64_t base = 0, first = 0;
    bool usage = false;
    while (const auto frame = segment->next(position, {})) {
      if (frame->header.type == FrameType::catalogue) {
        EXPECT_TRUE(add_frame(said, frame->text()));
        clients.push_back(said.services.at(1).client);
      }
      if (!frame->totals().empty()) base = frame->totals()[0].octets;
      if (!usage && !frame->usage().empty()) {
        first = frame->usage()[0].octets_from;
        usage = true;
      }
    }
    EXPECT_EQ(said.paths, catalogue("").paths);
    EXPECT_EQ(clients.front(), i == 0 ? "acme" : "umbrella");
    EXPECT_EQ(clients.back(), "umbrella");
    EXPECT_EQ(base, first) << "segment " << numbers[i];
  }
}

TEST_F(JournalTest, ATypeThatIsNotKnownIsPassedOver) {
  {
    auto journal = open();
    run(*journal, 2);
  }
  const auto all = all_frames();
  const JournalFrame& last = all.back();
  auto& file = disk_.octets(name(1));
  uint64_t at = last.offset + kBlock;
  FrameHeader header = last.header;
  const std::vector<uint8_t> payload(9000, 1);
  for (const uint8_t type : {6, 200}) {  // flow records; who knows
    header.type = static_cast<FrameType>(type);
    header.previous_crc = header.header_crc;
    ++header.sequence;
    header.block = header.write_block = static_cast<uint32_t>(at / kBlock);
    at += encode_frame(std::span(file).subspan(at), header, payload);
  }
  auto journal = open();
  run(*journal, 3);
  EXPECT_EQ(total(), 5000u);
  EXPECT_TRUE(verified().whole()) << to_text(verified());
  EXPECT_EQ(verified().unknown_frames, 2u);
}

TEST_F(JournalTest, AnEarlierFormatIsRefusedWithWhatToDo) {
  {
    auto journal = open();
    run(*journal, 1);
  }
  disk_.octets(name(1)).assign(64 * kBlock, 0);
  std::memcpy(disk_.octets(name(1)).data(), &kFormatOneMagic, sizeof kFormatOneMagic);
  const auto refused = Journal::open({.folder = kFolder, .disk = &disk_});
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().find("earlier version"), std::string::npos) << refused.error();
  EXPECT_NE(refused.error().find("move the folder away"), std::string::npos);
}

// Every octet of headers and payloads, and some of the rest, each alone.
TEST_F(JournalTest, BitRotIsToldWithFileOffsetAndFrameAndRepaired) {
  {
    auto journal = open();
    journal->set_catalogue(catalogue("acme"));
    run(*journal, 40);
  }
  const auto all = all_frames();
  const auto files = list_segments(disk_, kFolder).value();
  const uint64_t last_segment = all.back().segment;
  int told = 0, tails = 0;
  for (const JournalFrame& frame : all) {
    const size_t used = sizeof(FrameHeader) + frame.payload.size();
    for (size_t octet = 0; octet < used; octet += octet < 96 ? 5 : 41) {
      SCOPED_TRACE("frame " + std::to_string(frame.header.sequence) + ", octet " +
                   std::to_string(octet));
      uint8_t& rotten = disk_.octets(name(frame.segment))[frame.offset + octet];
      rotten ^= 0x10;
      const auto read = frames();
      // The last write may as well have been torn.
      const bool tail = frame.segment == last_segment &&
                        frame.header.write_block == all.back().header.write_block;
      if (tail) {
        ++tails;
        EXPECT_TRUE(read.has_value());
      } else {
        ++told;
        ASSERT_FALSE(read.has_value());
        EXPECT_EQ(read.error().file, name(frame.segment));
        EXPECT_EQ(read.error().offset, frame.offset);
        EXPECT_TRUE(read.error().frame == frame.header.sequence || read.error().frame == 0);
        EXPECT_NE(read.error().text().find("repair"), std::string::npos);
      }
      rotten ^= 0x10;
    }
  }
  EXPECT_GT(told, 500);
  EXPECT_GT(tails, 10);
  // Repaired: the meter's octets are all there, in fewer records.
  for (size_t i = 0; i + 1 < all.size(); i += 7) {
    SCOPED_TRACE("frame " + std::to_string(all[i].header.sequence));
    SimulatedDisk whole;
    whole.copy(disk_);
    disk_.octets(name(all[i].segment))[all[i].offset + 50] ^= 1;
    if (frames().has_value()) continue;
    const auto done = repair_journal(disk_, kFolder);
    ASSERT_TRUE(done.has_value()) << done.error();
    EXPECT_EQ(done->size(), 1u);
    EXPECT_TRUE(verified().whole()) << to_text(verified());
    EXPECT_EQ(verified().octets[0], 40'000u);
    EXPECT_TRUE(disk_.has(name(all[i].segment) + ".damaged"));
    EXPECT_TRUE(repair_journal(disk_, kFolder)->empty());
    disk_.copy(whole);
  }
}

TEST_F(JournalTest, AMissingSegmentIsNamedAndBridged) {
  {
    auto journal = open();
    run(*journal, 60);
  }
  ASSERT_TRUE(disk_.has(name(4)));
  disk_.remove(name(2));
  disk_.remove(name(3));
  const auto read = frames();
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().file, name(2));
  EXPECT_NE(read.error().what.find("segments are missing: frames "), std::string::npos);
  {
    auto journal = open();  // the gateway goes on; its charging will not
    EXPECT_NE(notices_.find("00000002.journal: is missing"), std::string::npos) << notices_;
    run(*journal, 1);
    uint64_t position_frames = 0;
    auto position = journal->begin();
    EXPECT_FALSE(journal->read(position, [&](uint64_t, auto) { ++position_frames; }));
    EXPECT_FALSE(repair_journal(disk_, kFolder).has_value());  // in use
  }
  EXPECT_FALSE(verified().whole());
  const auto done = repair_journal(disk_, kFolder);
  ASSERT_TRUE(done.has_value()) << done.error();
  EXPECT_TRUE(verified().whole()) << to_text(verified());
  EXPECT_EQ(verified().octets[0], 61'000u);
}

TEST_F(JournalTest, RenamedSegmentsAreNotRepairedButToldOf) {
  {
    auto journal = open();
    run(*journal, 60);
  }
  std::swap(disk_.octets(name(2)), disk_.octets(name(3)));
  const auto read = frames();
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().file, name(2));
  EXPECT_NE(read.error().text().find("holds segment 3"), std::string::npos);
  EXPECT_NE(read.error().text().find("back under its own name"), std::string::npos);
  EXPECT_FALSE(repair_journal(disk_, kFolder).has_value());
  std::swap(disk_.octets(name(2)), disk_.octets(name(3)));
  EXPECT_TRUE(verified().whole());
}

TEST_F(JournalTest, ALostTailIsToldOfAndItsNumbersAreNotGivenAgain) {
  uint64_t charged = 0;
  {
    auto journal = open();
    run(*journal, 10);
    charged = journal->acknowledged();
  }
  const auto all = all_frames();
  for (size_t i = all.size() - 4; i < all.size(); ++i)
    std::fill_n(disk_.octets(name(1)).begin() + static_cast<ptrdiff_t>(all[i].offset), kBlock, 0);
  {
    auto journal = open(charged);
    EXPECT_NE(notices_.find("its end is lost"), std::string::npos) << notices_;
    run(*journal, 1);
    EXPECT_GT(journal->acknowledged(), charged);
    uint64_t through = 0;
    auto position = journal->begin();
    ASSERT_TRUE(journal->read(
        position, [&](uint64_t, std::span<const UsageRecord> r) { through = r.back().octets_to; }));
    EXPECT_EQ(through, 11'000u);
  }
  EXPECT_TRUE(verified().whole()) << to_text(verified());
  EXPECT_EQ(verified().lost_frames, 4u);
  EXPECT_EQ(verified().octets[0], 11'000u);
}

// Octets of each slot, of each meter; what crosses a slot's end counts for itself.
std::map<std::pair<MeterKey, int64_t>, uint64_t> by_slot(const std::vector<JournalFrame>& frames) {
  std::map<std::pair<MeterKey, int64_t>, uint64_t> sums;
  for (const JournalFrame& frame : frames) {
    for (const UsageRecord& r : frame.usage()) {
      const int64_t from = r.wall_from_ns / kSlotNs, to = (r.wall_to_ns - 1) / kSlotNs;
      sums[{r.key, from == to ? from : 1'000'000'000 + r.wall_from_ns}] +=
          r.octets_to - r.octets_from;
    }
  }
  return sums;
}

TEST_F(JournalTest, CompactionKeepsTotalsSlotsAndOrderOfEachMeter) {
  std::mt19937_64 random(3);
  {
    auto journal = open();
    journal->set_catalogue(catalogue("acme"));
    uint64_t octets[3] = {};
    for (int64_t i = 1; i <= 200; ++i) {
      std::vector<Reading> readings;
      for (uint64_t m = 0; m < 3; ++m)
        readings.push_back(reading(m, 1, octets[m] += random() % 3 * 500));
      ASSERT_TRUE(journal->record(readings, i * 7'300'000'000));  // 41 a slot, some across its end
    }
  }
  const auto before = all_frames();
  const auto report = verified();
  const auto numbers = list_segments(disk_, kFolder).value();
  for (const uint64_t number : numbers) {
    const auto compacted = compact_segment(disk_, kFolder, number);
    ASSERT_TRUE(compacted.has_value()) << compacted.error();
    EXPECT_EQ(*compacted, number < before.back().segment);
    ASSERT_TRUE(verified().whole()) << to_text(verified());
  }
  EXPECT_FALSE(compact_segment(disk_, kFolder, numbers.front()).value());  // once is enough
  const auto after = all_frames();
  EXPECT_EQ(by_slot(after), by_slot(before));
  EXPECT_EQ(verified().octets, report.octets);
  EXPECT_EQ(verified().packets, report.packets);
  EXPECT_LT(verified().records * 3, report.records);
  EXPECT_EQ(verified().catalogue, report.catalogue);
  std::map<MeterKey, int64_t> last;
  for (const JournalFrame& frame : after) {
    for (const UsageRecord& r : frame.usage()) {
      EXPECT_GE(r.wall_from_ns, last[r.key]);
      last[r.key] = r.wall_to_ns;
    }
  }
  auto journal = open();
  ASSERT_TRUE(journal->record(std::vector{reading(0, 1, 10'000'000)}, 3000 * kSecondNs));
  EXPECT_TRUE(verified().whole()) << to_text(verified());
}

TEST_F(JournalTest, AReaderGoesOnWhereACompactedSegmentWas) {
  auto journal = open();
  run(*journal, 8);
  auto position = journal->begin();
  uint64_t through = 0;
  const auto visit = [&](uint64_t, std::span<const UsageRecord> records) {
    for (const UsageRecord& r : records) {
      EXPECT_LE(r.octets_from, through);
      through = r.octets_to;
    }
  };
  for (int i = 0; i < 40; ++i) {
    run(*journal, 1);
    if (i % 3 == 0) {
      ASSERT_TRUE(journal->read(position, visit));
      EXPECT_EQ(through, now_ * 1000);
    }
    const auto done =
        journal->maintain({.keep_octets = 4 * 16 * kBlock, .compact_after_ns = 1},
                          position.next_sequence - 1, static_cast<int64_t>(now_) * kSecondNs);
    ASSERT_TRUE(done.has_value()) << done.error();
  }
}

TEST_F(JournalTest, WhatIsNotChargedIsNeverRetiredOrCompacted) {
  auto journal = open();
  run(*journal, 100);
  const JournalRetention retention{.keep_ns = 1, .keep_octets = 1, .compact_after_ns = 1};
  const auto before = list_segments(disk_, kFolder).value();
  const int64_t late = 1'000'000 * kSecondNs;
  EXPECT_FALSE(journal->maintain(retention, 0, late).value());
  const uint64_t half = journal->acknowledged() / 2;
  while (journal->maintain(retention, half, late).value()) {
  }
  EXPECT_LT(list_segments(disk_, kFolder)->size(), before.size());
  const auto left = all_frames();
  EXPECT_LE(left.front().header.sequence, half + 1);
  uint64_t uncharged = 0;
  for (const JournalFrame& frame : left) {
    if (frame.header.sequence <= half) continue;
    EXPECT_EQ(frame.header.flags & kCompacted, 0);
    ++uncharged;
  }
  EXPECT_EQ(uncharged, journal->acknowledged() - half);
  // Everything: the segment in use stays.
  while (journal->maintain(retention, journal->acknowledged(), late).value()) {
  }
  EXPECT_TRUE(verified().whole()) << to_text(verified());
  run(*journal, 3);
  journal.reset();
  journal = open();
  run(*journal, 1);
  EXPECT_EQ(total(), now_ * 1000);
  EXPECT_TRUE(verified().whole()) << to_text(verified());
}

TEST_F(JournalTest, ATimeIsFoundWithoutReadingTheRest) {
  {
    auto journal = open();
    run(*journal, 200);
  }
  const auto spans = segment_spans(disk_, kFolder).value();
  ASSERT_GT(spans.size(), 10u);
  for (size_t i = 0; i + 1 < spans.size(); ++i) {
    EXPECT_TRUE(spans[i].known);
    EXPECT_LE(spans[i].wall_first_ns, spans[i].wall_last_ns);
  }
  for (int64_t from = 0; from < 200; from += 13) {
    const WallRange range{from * kSecondNs, (from + 5) * kSecondNs};
    const auto found = frames(range);
    ASSERT_TRUE(found.has_value()) << found.error().text();
    uint64_t seen = 0;
    std::set<uint64_t> segments;
    for (const JournalFrame& frame : *found) {
      segments.insert(frame.segment);
      for (const UsageRecord& r : frame.usage()) {
        EXPECT_TRUE(range.meets(r.wall_from_ns, r.wall_to_ns));
        ++seen;
      }
    }
    EXPECT_GE(seen, 5u) << from;
    EXPECT_LE(seen, 7u) << from;
    EXPECT_LE(segments.size(), 3u) << from;
  }
}

TEST_F(JournalTest, AReadersMemoryIsThatOfTheFramesInHand) {
  {
    auto journal = open();
    run(*journal, 300);
  }
  auto pool = std::make_shared<ChunkPool>();
  FolderReader reader(disk_, kFolder, {}, pool);
  std::vector<JournalFrame> held;
  for (;;) {
    auto frame = reader.next();
    ASSERT_TRUE(frame.has_value());
    if (!*frame) break;
    held.push_back(std::move(**frame));
    if (held.size() > 4) held.erase(held.begin());
  }
  EXPECT_LE(pool->made(), 9u);  // of 50 segments
}

TEST_F(JournalTest, AFullDiskSaysWhatToDoAndTakesNothing) {
  auto journal = open();
  run(*journal, 1);
  disk_.fail(Fault::disk_full, 1, 1'000'000);
  // Nothing can be written at all; what to do is said, and nothing is taken.
  const auto refused = journal->record(std::vector{reading(1, 1, 9000)}, 5 * kSecondNs);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().find("make room"), std::string::npos) << refused.error();
  disk_.heal();
  ASSERT_TRUE(journal->record(std::vector{reading(1, 1, 9500)}, 6 * kSecondNs));
  EXPECT_EQ(total(), 9500u);
}

// --- on a real disk

class OnRealDisk : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/var/tmp/anabranch-journal-XXXXXX";
    folder_ = mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::unique_ptr<Journal> open() {
    auto journal =
        Journal::open({.folder = folder_, .gateway = "here", .segment_octets = 1u << 18});
    EXPECT_TRUE(journal.has_value()) << (journal ? "" : journal.error());
    return std::move(*journal);
  }
  std::string folder_;
};

TEST_F(OnRealDisk, SegmentsFollowEachOtherWhileAnotherReads) {
  auto journal = open();
  Disk& disk = real_disk(true);
  FolderReader follower(disk, folder_, {.check_tail = false});
  uint64_t through = 0, octets = 0;
  for (int64_t i = 1; i <= 400; ++i) {
    octets += 1000;
    ASSERT_TRUE(journal->record(std::vector{reading(1, 1, octets)}, i * kSecondNs));
    if (i % 7 != 0) continue;
    for (;;) {
      const auto frame = follower.next();
      ASSERT_TRUE(frame.has_value()) << frame.error().text();
      if (!*frame) break;
      for (const UsageRecord& r : (*frame)->usage()) {
        EXPECT_EQ(r.octets_from, through);
        through = r.octets_to;
      }
    }
    EXPECT_EQ(through, octets);
  }
  EXPECT_TRUE(fs::exists(segment_name(folder_, 6)));
  const auto report = verify_journal(disk, folder_);
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->whole()) << to_text(*report);
  EXPECT_EQ(report->octets[0], octets);
}

TEST_F(OnRealDisk, KilledAtAnyMomentWhatWasAcknowledgedIsThere) {
  std::mt19937 random(5);
  uint64_t acknowledged = 0;
  for (int round = 0; round < 20; ++round) {
    int fds[2];
    ASSERT_EQ(pipe(fds), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(fds[0]);
      auto journal = open();
      for (uint64_t octets = acknowledged + 1000;; octets += 1000) {
        if (!journal->record(std::vector{reading(1, 1, octets)},
                             static_cast<int64_t>(octets) * 1'000'000))
          _exit(1);
        if (write(fds[1], &octets, sizeof octets) != sizeof octets) _exit(1);
      }
    }
    close(fds[1]);
    uint64_t told = 0;
    const uint64_t wanted = 1 + random() % 100;
    for (uint64_t n = 0; n < wanted && read(fds[0], &told, sizeof told) == sizeof told; ++n)
      acknowledged = told;
    usleep(random() % 3000);  // the moment is what varies; nothing waits for it
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round;
    while (read(fds[0], &told, sizeof told) == sizeof told) acknowledged = told;
    close(fds[0]);
    const auto report = verify_journal(real_disk(true), folder_);
    ASSERT_TRUE(report.has_value());
    EXPECT_TRUE(report->whole()) << to_text(*report);
    EXPECT_GE(report->octets[0], acknowledged);
    EXPECT_LE(report->octets[0], acknowledged + 1000);
    acknowledged = report->octets[0];
  }
}

TEST_F(OnRealDisk, CompactionKeepsWhatItReplaces) {
  {
    auto journal = open();
    for (int64_t i = 1; i <= 300; ++i)
      ASSERT_TRUE(journal->record(std::vector{reading(1, 1, static_cast<uint64_t>(i) * 1000)},
                                  i * kSecondNs));
    while (journal->maintain({.compact_after_ns = 1}, journal->acknowledged(), 1000 * kSecondNs)
               .value()) {
    }
  }
  const auto report = verify_journal(real_disk(true), folder_).value();
  EXPECT_TRUE(report.whole()) << to_text(report);
  EXPECT_GT(report.compacted, 2u);
  EXPECT_EQ(report.octets[0], 300'000u);
  EXPECT_LT(report.records, 150u);
}

}  // namespace
}  // namespace anabranch::billing
