// SPDX-License-Identifier: BSD-3-Clause
// Flow records in files: each can be read alone, whatever befell the disk, and old ones go.
#include "control/flow_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/control/ipfix_messages.h"

namespace anabranch::control {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class FlowsInFiles : public testing::Test {
 protected:
  FlowsInFiles() {
    char name[] = "/tmp/flows-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~FlowsInFiles() override { fs::remove_all(folder_); }

  FlowFiles::Options options() {
    return {.folder = folder_ + "/flows",
            .notice = [this](const std::string& what) { notices_.push_back(what); }};
  }

  std::vector<std::string> files() const { return files_of_kind(folder_ + "/flows", ".ipfix"); }

  std::string folder_;
  std::vector<std::string> notices_;  // read when the files are closed
};

// Flows from `first` on; they are told apart by when they began.
std::vector<billing::FlowRecord> flows(uint64_t first, uint64_t count) {
  std::vector<billing::FlowRecord> all(count);
  for (billing::FlowRecord& record : all) {
    record.family = billing::FlowRecord::Family::ipv4;
    record.start_ms = first++;
    record.client = "acme";
    record.uplink = "fibre";
    record.provider = "alpha";
  }
  return all;
}

std::vector<uint64_t> from_to(uint64_t first, uint64_t last) {
  std::vector<uint64_t> all;
  while (first <= last) all.push_back(first++);
  return all;
}

// That a file explains itself before its first record is part of reading it.
std::vector<uint64_t> flows_in(const std::vector<std::string>& files) {
  std::vector<uint64_t> all;
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    const auto messages = read_messages(text.str());
    EXPECT_TRUE(!messages.empty() && messages.front().has_templates) << file;
    for (const Seen& m : messages) all.insert(all.end(), m.flows.begin(), m.flows.end());
  }
  return all;
}

TEST_F(FlowsInFiles, EachRunBeginsAFileThatIsReadAlone) {
  {
    FlowFiles kept(options());
    kept.put(flows(1, 3));
    kept.put(flows(4, 1000));
  }
  { FlowFiles(options()).put(flows(1004, 2)); }
  ASSERT_EQ(files().size(), 2u);
  EXPECT_EQ(flows_in({files()[0]}), from_to(1, 1003));
  EXPECT_EQ(flows_in({files()[1]}), from_to(1004, 1005));
  EXPECT_THAT(notices_, ElementsAre());
}

TEST_F(FlowsInFiles, FilesAreAsLargeAndAsManyAsWanted) {
  FlowFiles::Options small = options();
  small.retention = {.file_octets = 4096, .keep_octets = 20'000, .keep_days = 1};
  {
    FlowFiles kept(small);
    for (uint64_t i = 0; i < 100; ++i) kept.put(flows(10 * i, 10));
  }
  uint64_t octets = 0;
  for (const std::string& file : files()) {
    EXPECT_LE(fs::file_size(file), 4096u);
    octets += fs::file_size(file);
  }
  EXPECT_LE(octets, 20'000u + 4096);
  EXPECT_GE(octets, 10'000u);
  const auto last = flows_in(files());
  EXPECT_EQ(last, from_to(last.front(), 999)) << "the oldest are removed";
}

TEST_F(FlowsInFiles, WhatHasNoRoomToWaitIsCountedAsLost) {
  std::ofstream(folder_ + "/flows") << "in the way";
  FlowFiles::Options blocked = options();
  blocked.waiting_max = 20;
  {
    FlowFiles kept(blocked);
    kept.put(flows(1, 15));
    kept.put(flows(16, 6));
    EXPECT_EQ(kept.counts().lost, 6u);
    EXPECT_EQ(kept.counts().waiting, 15u);
    while (kept.counts().failures == 0) sched_yield();
  }
  ASSERT_EQ(notices_.size(), 2u);
  EXPECT_THAT(notices_[0], HasSubstr("flow records are not on record yet: "));
  EXPECT_EQ(notices_[1], "21 flow records are not on record, and will not be");
}

// On a disk of its own that is full, and has room later.
void on_a_full_flow_disk(const std::string& folder, std::string& objection) {
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=64k") != 0) {
    objection = std::strerror(errno);
    return;
  }
  {
    FlowFiles kept({.folder = folder + "/flows", .notice = {}});
    for (uint64_t i = 0; i < 20; ++i) kept.put(flows(100 * i, 100));
    while (kept.counts().failures == 0) sched_yield();
    const auto there = flows_in(files_of_kind(folder + "/flows", ".ipfix"));
    EXPECT_EQ(there.size(), kept.counts().written) << "and nothing is torn";
    EXPECT_EQ(mount(nullptr, folder.c_str(), nullptr, MS_REMOUNT, "size=16m"), 0);
    while (kept.counts().written < 2000) sched_yield();
  }
  EXPECT_EQ(flows_in(files_of_kind(folder + "/flows", ".ipfix")), from_to(0, 1999));
  umount(folder.c_str());
}

TEST_F(FlowsInFiles, AFullDiskIsWaitedForAndNothingIsTorn) {
  std::string objection;
  std::thread(on_a_full_flow_disk, folder_, std::ref(objection)).join();
  if (!objection.empty()) GTEST_SKIP() << "needs root: " << objection;
}

}  // namespace
}  // namespace anabranch::control
