// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/meter.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <span>

#include "tests/dataplane/temporary_folder.h"

namespace anabranch::dataplane {
namespace {

constexpr auto kSent = static_cast<size_t>(Direction::sent);
constexpr auto kFirst = static_cast<size_t>(Kind::first);

class MetersTest : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  const std::string file = folder.file("meters");
};

TEST_F(MetersTest, StartAtZeroInANewRegion) {
  auto meters = Meters::open(file);
  ASSERT_TRUE(meters) << meters.error();
  EXPECT_TRUE(meters->fresh());
  EXPECT_FALSE(meters->unclean());
  EXPECT_NE(meters->region().id, 0u);
  EXPECT_EQ(meters->region().workers[0].services[1].places[1][kSent][kFirst].octets.get(), 0u);
}

TEST_F(MetersTest, SurviveThatTheirProcessEndsInAnyWay) {
  uint64_t id = 0;
  {
    auto meters = Meters::open(file);
    ASSERT_TRUE(meters) << meters.error();
    id = meters->region().id;
    meters->region().clean = 0;  // in use, as control marks it
    ASSERT_TRUE(meters->make_room(1024));
    meters->region().workers[0].services[1023].places[kPlaces - 1][kSent][kFirst].add(1500, 1);
    meters->region().owners[1023].store(42);
  }
  auto again = Meters::open(file);
  ASSERT_TRUE(again) << again.error();
  EXPECT_FALSE(again->fresh());
  EXPECT_TRUE(again->unclean());
  EXPECT_EQ(again->region().id, id);
  EXPECT_EQ(again->region().owners[1023].load(), 42u);
  const MeterCell& cell =
      again->region().workers[0].services[1023].places[kPlaces - 1][kSent][kFirst];
  EXPECT_EQ(cell.octets.get(), 1500u);
  EXPECT_EQ(cell.packets.get(), 1u);
}

TEST_F(MetersTest, KeepWhatAllCountedWhenWorkersBecomeMoreOrFewer) {
  uint64_t id = 0;
  {
    auto meters = Meters::open(file);
    ASSERT_TRUE(meters) << meters.error();
    id = meters->region().id;
    meters->region().workers[0].services[5].places[1][kSent][kFirst].add(100, 1);
  }
  {
    auto more = Meters::open(file, 3);
    ASSERT_TRUE(more) << more.error();
    EXPECT_EQ(more->region().id, id);
    ASSERT_EQ(more->workers(), 3u);
    EXPECT_EQ(more->region().workers[0].services[5].places[1][kSent][kFirst].octets.get(), 100u);
    EXPECT_EQ(more->region().workers[2].services[5].places[1][kSent][kFirst].octets.get(), 0u);
    more->region().workers[2].services[5].places[1][kSent][kFirst].add(30, 1);
  }
  auto fewer = Meters::open(file, 2);
  ASSERT_TRUE(fewer) << fewer.error();
  ASSERT_EQ(fewer->workers(), 3u) << "what the third counted is to be charged";
  EXPECT_EQ(fewer->all()[2].services[5].places[1][kSent][kFirst].octets.get(), 30u);
}

TEST_F(MetersTest, KnowThatTheLastProcessEndedInOrder) {
  { ASSERT_TRUE(Meters::open(file)); }
  auto again = Meters::open(file);
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->fresh());
  EXPECT_FALSE(again->unclean());
}

TEST_F(MetersTest, AreSeenByEveryProcessThatMapsThem) {
  auto writer = Meters::open(file);
  auto reader = Meters::open(file);
  ASSERT_TRUE(writer && reader);
  writer->region().workers[0].services[3].places[2][kSent][kFirst].add(7, 1);
  EXPECT_EQ(reader->region().workers[0].services[3].places[2][kSent][kFirst].octets.get(), 7u);
}

TEST_F(MetersTest, OfAnotherLayoutAreRefusedAndLeftAlone) {
  {
    auto meters = Meters::open(file);
    ASSERT_TRUE(meters);
    meters->region().layout += 1;
    meters->region().workers[0].services[1].places[1][kSent][kFirst].add(9, 1);
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto refused = Meters::open(file);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().find("not a meter region of this version"), std::string::npos);
    EXPECT_NE(refused.error().find(file), std::string::npos);
  }
}

TEST_F(MetersTest, OfAnotherSizeAreRefusedAndLeftAlone) {
  std::ofstream(file) << "somebody's notes";
  auto refused = Meters::open(file);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("has 16 octets, expected"), std::string::npos) << refused.error();
  EXPECT_EQ(std::filesystem::file_size(file), 16u);
}

TEST_F(MetersTest, ThatCannotBeOpenedSayWhichAndWhy) {
  auto refused = Meters::open(folder.file("no/such/folder"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("no/such/folder: cannot be opened: No such file"),
            std::string::npos)
      << refused.error();
}

// Memory is taken for services that there are, and not for those that there might be.
TEST_F(MetersTest, TakeAsMuchMemoryAsThereAreServices) {
  auto meters = Meters::open(file, kWorkersMax);
  ASSERT_TRUE(meters) << meters.error();
  const auto taken = [this] {
    struct stat status {};
    stat(file.c_str(), &status);
    return static_cast<size_t>(status.st_blocks) * 512;
  };
  EXPECT_LT(taken(), 16u << 20);
  ASSERT_TRUE(meters->make_room(640));
  EXPECT_EQ(meters->region().slots.load(), 640u);
  EXPECT_GE(taken(), kWorkersMax * 640 * sizeof(ServiceMeters));
  EXPECT_LT(taken(), kWorkersMax * 700 * sizeof(ServiceMeters));
  const auto refused = meters->make_room(kServicesMax + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), "all 16383 services are in use");
}

TEST_F(MetersTest, HaveRoomAtNewWorkersForWhatOthersCounted) {
  { ASSERT_TRUE(Meters::open(file)->make_room(640)); }
  auto more = Meters::open(file, 2);
  ASSERT_TRUE(more) << more.error();
  struct stat status {};
  ASSERT_EQ(stat(file.c_str(), &status), 0);
  EXPECT_GE(static_cast<size_t>(status.st_blocks) * 512, 2 * 640 * sizeof(ServiceMeters));
}

// The worker would die of SIGBUS at the first octet it counts, were it found out later. In a
// process of its own, since a mount namespace is a process's; needs root.
class MetersOnASmallTmpfs : public MetersTest {
 protected:
  void mount_tmpfs(const char* size) const {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", folder.path().c_str(), "tmpfs", 0, size) != 0) {
      std::perror("private tmpfs");
      _exit(1);
    }
  }
};

TEST_F(MetersOnASmallTmpfs, AreAnErrorAndNotASignal) {
  const auto open_on_it = [this] {
    mount_tmpfs("size=512k");
    const auto meters = Meters::open(file);
    std::fputs(meters ? "opened" : meters.error().c_str(), stderr);
    _exit(meters ? 2 : 0);
  };
  EXPECT_EXIT(open_on_it(), ::testing::ExitedWithCode(0), "no room for 63 services: No space left");
}

TEST_F(MetersOnASmallTmpfs, RefuseMoreServicesAndServeThoseThereAre) {
  const auto fill_it = [this] {
    mount_tmpfs("size=2m");
    auto meters = Meters::open(file);
    const auto room = meters->make_room(1024);
    std::fputs(room ? "taken" : room.error().c_str(), stderr);
    for (auto& service : std::span(meters->region().workers[0].services, Meters::kSlotsLeast))
      service.places[kPlaces - 1][kSent][kFirst].add(1, 1);
    _exit(room || meters->region().slots != Meters::kSlotsLeast ? 2 : 0);
  };
  EXPECT_EXIT(fill_it(), ::testing::ExitedWithCode(0), "no room for 1023 services: No space left");
}

}  // namespace
}  // namespace anabranch::dataplane
