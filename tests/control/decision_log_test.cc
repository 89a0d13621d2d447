// SPDX-License-Identifier: BSD-3-Clause
// Decisions on record: written, read back and decided again, whatever befell files and disk.
#include "control/decision_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "control/decision_audit.h"
#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kNoonNs = 1'764'244'800'000'000'000;  // 2025-11-27, 12:00 UTC
constexpr int64_t kADayNs = 86'400'000'000'000;

class DecisionsOnRecord : public testing::Test {
 protected:
  DecisionsOnRecord() {
    char name[] = "/tmp/decisions-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~DecisionsOnRecord() override { fs::remove_all(folder_); }

  DecisionLog::Options options() {
    return {.folder = folder_, .gateway = "site-a", .notice = [this](const std::string& what) {
              notices_.push_back(what);
            }};
  }

  std::string folder_;
  std::vector<std::string> notices_;  // read when the log has ended
};

Decision decided_at_random(std::mt19937& random) {
  Decision d = any_inputs(random);
  d.weighing.choice = prefer(d.paths, d.profile, d.request, d.currency,
                             d.in_force ? &*d.in_force : nullptr, &d.ratings);
  return d;
}

std::vector<Finding> audited(const std::vector<std::string>& files, uint64_t service = 0) {
  std::vector<Finding> findings;
  const auto read = audit(
      files,
      [&](const DecisionRecord& r) {
        return service == 0 ||
               std::find(r.services.begin(), r.services.end(), service) != r.services.end();
      },
      [&](const Finding& f) { findings.push_back(f); });
  EXPECT_TRUE(read) << (read ? "" : read.error());
  return findings;
}

size_t count_of(const std::vector<Finding>& findings, Finding::Kind kind) {
  return static_cast<size_t>(std::count_if(findings.begin(), findings.end(),
                                           [&](const Finding& f) { return f.kind == kind; }));
}

std::string words_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& f : findings) {
    if (f.kind == Finding::Kind::same) continue;
    text += f.file + ":" + std::to_string(f.line) + ": " + f.what + "\n";
  }
  return text;
}

void expect_all_same(const std::vector<Finding>& findings, size_t count) {
  EXPECT_EQ(findings.size(), count) << words_of(findings);
  EXPECT_EQ(count_of(findings, Finding::Kind::same), count) << words_of(findings);
}

void put_octets(const std::string& file, const std::string& text) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

// A file of so many records, and its lines.
std::vector<std::string> lines_of_a_file(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::string> lines;
  ChainEnd end;
  for (size_t i = 0; i < count; ++i) {
    const RecordLine line = line_of({.number = end.number + 1,
                                     .previous = end.sha256,
                                     .at_ns = kNoonNs + static_cast<int64_t>(i) * 1'234'567'890,
                                     .gateway = "site-a",
                                     .services = {i, 100 + i},
                                     .decision = to_json(decide(decided_at_random(random)))});
    lines.push_back(line.text);
    end = line.end;
  }
  return lines;
}
std::string together(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

TEST_F(DecisionsOnRecord, ALineIsReadAsItWasWrittenAndDecidedAgainTheSame) {
  std::mt19937 random(21);
  for (int i = 0; i < 100; ++i) {
    const DecisionRecord r{.number = random(),
                           .previous = i == 0 ? "" : std::string(64, 'a'),
                           .at_ns = kNoonNs + static_cast<int64_t>(random() % 100'000) * 1'000'000,
                           .gateway = "site-a",
                           .services = std::vector<uint64_t>(random() % 4, random()),
                           .decision = to_json(decide(decided_at_random(random)))};
    const RecordLine line = line_of(r);
    ASSERT_EQ(line.text.find('\n'), line.text.size() - 1);
    const auto read = read_record(std::string_view(line.text).substr(0, line.text.size() - 1));
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(read->sha256, line.end.sha256);
    EXPECT_EQ(read->record.number, r.number);
    EXPECT_EQ(read->record.previous, r.previous);
    EXPECT_EQ(read->record.at_ns, r.at_ns);
    EXPECT_EQ(read->record.gateway, r.gateway);
    EXPECT_EQ(read->record.services, r.services);
    EXPECT_EQ(read->record.decision, r.decision);
    const auto again = replay(read->record.decision);
    ASSERT_TRUE(again) << again.error();
    EXPECT_TRUE(again->same) << again->difference;
  }
}

TEST_F(DecisionsOnRecord, AreDecidedAgainTheSameAfterRestarts) {
  std::mt19937 random(22);
  for (int start = 0; start < 3; ++start) {
    DecisionLog log(options());
    for (uint64_t i = 1; i <= 20; ++i) log.put(kNoonNs, {i}, decided_at_random(random));
  }
  const auto files = decision_files(folder_);
  EXPECT_EQ(files.size(), 1u);
  const auto findings = audited(files);
  expect_all_same(findings, 60);
  for (size_t i = 0; i < findings.size(); ++i) EXPECT_EQ(findings[i].record->number, i + 1);
  expect_all_same(audited(files, 7), 3);
  EXPECT_THAT(notices_, ElementsAre());
}

TEST_F(DecisionsOnRecord, OneWhoseChoiceIsNotWhatItsInputsComeToIsNamed) {
  std::mt19937 random(23);
  {
    DecisionLog log(options());
    Decision d = decided_at_random(random);
    while (!d.weighing.choice.preferred) d = decided_at_random(random);
    log.put(kNoonNs, {1}, d);
    d.weighing.choice = {.refusal = "no, by mistake"};
    log.put(kNoonNs, {2}, d);
  }
  const auto findings = audited(decision_files(folder_));
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].kind, Finding::Kind::same);
  EXPECT_EQ(findings[1].kind, Finding::Kind::differs);
  EXPECT_THAT(findings[1].what, HasSubstr("it was refused"));
  EXPECT_EQ(findings[1].line, 2u);
}

// Killed at any octet of a line: it is told, and hides nothing.
TEST_F(DecisionsOnRecord, ATornLineIsToldAndTheRestGoesOn) {
  const auto lines = lines_of_a_file(3, 24);
  const std::string file = folder_ + "/00000001.jsonl";
  const std::string before = lines[0] + lines[1];
  for (size_t cut = 1; cut < lines[2].size(); cut += 1 + lines[2].size() / 40) {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
    put_octets(file, before + lines[2].substr(0, lines[2].size() - cut));
    DecisionFiles files(folder_, {});
    ASSERT_TRUE(files.open(kNoonNs));
    EXPECT_EQ(files.end().number, 2u);
    const RecordLine next = line_of(
        {.number = files.end().number + 1,
         .previous = files.end().sha256,
         .at_ns = kNoonNs,
         .gateway = "site-a",
         .services = {9},
         .decision = read_record(lines[0].substr(0, lines[0].size() - 1))->record.decision});
    ASSERT_TRUE(files.append(next, kNoonNs));
    const auto findings = audited(decision_files(folder_));
    ASSERT_EQ(findings.size(), 4u) << words_of(findings);
    EXPECT_EQ(count_of(findings, Finding::Kind::same), 3u) << words_of(findings);
    EXPECT_EQ(findings[2].kind, Finding::Kind::torn);
    EXPECT_EQ(findings[2].file, file);
    EXPECT_EQ(findings[2].line, 3u);
  }
}

TEST_F(DecisionsOnRecord, ALogThatIsKilledGoesOnBehindWhatItWrote) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::mt19937 random(25);
    DecisionLog log({.folder = folder_, .gateway = "site-a", .waiting_max = 8});
    while (true) log.put(kNoonNs, {1}, decided_at_random(random));
  }
  const std::string first = folder_ + "/00000001.jsonl";
  while (!fs::exists(first) || fs::file_size(first) < 200'000) {
    ASSERT_EQ(waitpid(child, nullptr, WNOHANG), 0);
    sched_yield();
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  std::mt19937 random(26);
  { DecisionLog(options()).put(kNoonNs, {2}, decided_at_random(random)); }
  const auto findings = audited(decision_files(folder_));
  const size_t torn = count_of(findings, Finding::Kind::torn);
  EXPECT_LE(torn, 1u);
  EXPECT_GT(findings.size(), 10u);
  EXPECT_EQ(count_of(findings, Finding::Kind::same), findings.size() - torn) << words_of(findings);
  EXPECT_THAT(findings.back().record->services, ElementsAre(2));
}

TEST_F(DecisionsOnRecord, AnAlteredOctetAnywhereIsNoticed) {
  const std::string whole = together(lines_of_a_file(4, 27));
  const std::string file = folder_ + "/00000001.jsonl";
  std::mt19937 random(28);
  for (int i = 0; i < 200; ++i) {
    std::string altered = whole;
    const size_t at = random() % (whole.size() - 1);  // without its last line feed: that is torn
    altered[at] = static_cast<char>(altered[at] ^ (1 << random() % 7));
    put_octets(file, altered);
    const auto findings = audited({file});
    const auto line = static_cast<size_t>(
        1 + std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    EXPECT_GE(count_of(findings, Finding::Kind::spoilt), 1u) << at;
    for (const Finding& f : findings) {
      if (f.kind == Finding::Kind::spoilt) {
        EXPECT_LE(f.line - line, 1u) << at;
      }
    }
    EXPECT_GE(count_of(findings, Finding::Kind::same), 2u) << "the rest is decided again";
  }
}

TEST_F(DecisionsOnRecord, OneThatWasTakenOutOrPutElsewhereIsNoticed) {
  const auto lines = lines_of_a_file(5, 29);
  const std::string file = folder_ + "/00000001.jsonl";
  put_octets(file, together(lines));
  expect_all_same(audited({file}), 5);
  put_octets(file, lines[0] + lines[1] + lines[3] + lines[4]);
  auto findings = audited({file});
  ASSERT_EQ(count_of(findings, Finding::Kind::missing), 1u);
  EXPECT_THAT(words_of(findings), HasSubstr(":3: 1 records before it are missing"));
  put_octets(file, lines[0] + lines[2] + lines[1] + lines[3]);
  EXPECT_GE(count_of(audited({file}), Finding::Kind::missing), 2u);
  // Of another history, though its hash is right and its number fits.
  put_octets(file, lines[0] + lines_of_a_file(2, 30)[1]);
  findings = audited({file});
  EXPECT_THAT(words_of(findings), HasSubstr("follows another record"));
}

TEST_F(DecisionsOnRecord, FilesAreAsLargeAndAsManyAsWanted) {
  std::mt19937 random(31);
  DecisionLog::Options small = options();
  small.retention = {.file_octets = 40'000, .keep_octets = 200'000};
  {
    DecisionLog log(small);
    for (uint64_t i = 1; i <= 150; ++i) log.put(kNoonNs, {i}, decided_at_random(random));
  }
  const auto files = decision_files(folder_);
  EXPECT_GT(files.size(), 3u);
  uint64_t octets = 0;
  for (const std::string& file : files) {
    EXPECT_LE(fs::file_size(file), 40'000u + 20'000u);
    octets += fs::file_size(file);
  }
  EXPECT_LE(octets, 260'000u);
  const auto findings = audited(files);
  expect_all_same(findings, findings.size());
  EXPECT_GT(findings.front().record->number, 1u) << "the oldest are gone";
  EXPECT_EQ(findings.back().record->number, 150u);
}

TEST_F(DecisionsOnRecord, EachDayHasAFileAndOldOnesGo) {
  const auto lines = lines_of_a_file(1, 32);
  DecisionFiles files(folder_, {.keep_days = 30});
  ASSERT_TRUE(files.open(kNoonNs));
  const auto append = [&](int64_t now_ns) {
    const RecordLine line = line_of({.number = files.end().number + 1,
                                     .previous = files.end().sha256,
                                     .at_ns = now_ns,
                                     .decision = nlohmann::json::object()});
    ASSERT_TRUE(files.append(line, now_ns));
  };
  append(kNoonNs);
  append(kNoonNs + kADayNs / 4);
  append(kNoonNs + kADayNs);
  EXPECT_EQ(decision_files(folder_).size(), 2u);
  // All were written now, so that in a hundred years all but the new one are old.
  append(kNoonNs + 36'500 * kADayNs);
  EXPECT_EQ(decision_files(folder_).size(), 1u);
}

TEST_F(DecisionsOnRecord, WhatCannotBeWrittenIsCountedAndSaidOnceAndHoldsUpNobody) {
  std::mt19937 random(33);
  put_octets(folder_ + "/in-the-way", "");
  DecisionLog::Options blocked = options();
  blocked.folder = folder_ + "/in-the-way/decisions";
  blocked.waiting_max = 4;
  {
    DecisionLog log(blocked);
    for (uint64_t i = 1; i <= 50; ++i) log.put(kNoonNs, {i}, decided_at_random(random));
    EXPECT_GE(log.counts().lost, 40u);
    while (log.counts().failures < 2) sched_yield();
  }
  ASSERT_EQ(notices_.size(), 2u);
  EXPECT_THAT(notices_[0], HasSubstr("not on record yet: "));
  EXPECT_EQ(notices_[1], "50 decisions are not on record, and will not be");
}

// On a disk of its own that is full, and has room later.
void on_a_full_disk(const std::string& folder, std::vector<std::string>& notices,
                    std::string& objection) {
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=64k") != 0) {
    objection = std::strerror(errno);
    return;
  }
  std::mt19937 random(34);
  {
    DecisionLog log({.folder = folder + "/decisions",
                     .gateway = "site-a",
                     .notice = [&](const std::string& what) { notices.push_back(what); }});
    for (uint64_t i = 1; i <= 40; ++i) log.put(kNoonNs, {i}, decided_at_random(random));
    while (log.counts().failures == 0) sched_yield();
    const auto findings = audited(decision_files(folder + "/decisions"));
    EXPECT_GT(findings.size(), 1u);
    expect_all_same(findings, log.counts().written);
    EXPECT_EQ(mount(nullptr, folder.c_str(), nullptr, MS_REMOUNT, "size=16m"), 0);
    while (log.counts().written < 40) sched_yield();
    EXPECT_EQ(log.counts().lost, 0u);
  }
  expect_all_same(audited(decision_files(folder + "/decisions")), 40);
  umount(folder.c_str());
}

TEST_F(DecisionsOnRecord, AFullDiskIsWaitedForAndNothingIsTorn) {
  std::string objection;
  std::thread(on_a_full_disk, folder_, std::ref(notices_), std::ref(objection)).join();
  if (!objection.empty()) GTEST_SKIP() << "needs root: " << objection;
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_THAT(notices_[0], HasSubstr("No space left on device"));
}

}  // namespace
}  // namespace anabranch::control
