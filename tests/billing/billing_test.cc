// SPDX-License-Identifier: BSD-3-Clause
// From readings to statements, on a real disk and a real ledger; killed, torn, refused.
#include "billing/billing.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <stdexcept>

namespace anabranch::billing {
namespace {

namespace fs = std::filesystem;

Tariff tariff(const char* id, const char* price_a, const char* price_b) {
  return parse_tariff({{"id", id},
                       {"currency", "EUR"},
                       {"prices",
                        {{{"provider", "alpha"}, {"per_gb", price_a}},
                         {{"provider", "beta"}, {"per_gb", price_b}}}}})
      .value();
}

class OnDisk : public testing::Test {
 protected:
  // tmpfs has no O_DIRECT.
  void SetUp() override {
    char name[] = "/var/tmp/anabranch-billing-XXXXXX";
    folder_ = mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(folder_); }
  BillingOptions options() const {
    return {.state_dir = folder_, .gateway = "here", .journal_segment_octets = 1u << 20};
  }
  std::unique_ptr<Billing> open() {
    auto billing = Billing::open(options());
    EXPECT_TRUE(billing.has_value()) << (billing ? "" : billing.error());
    for (const char* id : {"house", "std"}) {
      const bool house = std::string(id) == "house";
      put(**billing, "tariffs", house ? tariff(id, "0.10", "0.20") : tariff(id, "1.00", "3.00"));
    }
    const nlohmann::json acme{{"id", "acme"}, {"tariff", "std"}, {"profile", "none"}};
    EXPECT_TRUE((*billing)->ledger().put_document("clients", "acme", acme.dump(), kBegin));
    return std::move(*billing);
  }
  static void put(Billing& billing, const char* kind, const Tariff& t) {
    EXPECT_TRUE(billing.ledger().put_document(kind, t.id, t.text, kBegin));
  }
  // What is not on a statement yet.
  nlohmann::json stated(const std::string& account, int64_t after_ns = 3600 * kSecond) const {
    const auto open = Billing::open_statements(options(), account, kBegin + after_ns);
    if (!open) throw std::runtime_error(open.error());
    return open->empty() ? nlohmann::json{{"usage", nlohmann::json::array()}} : open->at(0);
  }
  uint64_t octets(const std::string& account, int64_t after_ns = 3600 * kSecond) const {
    uint64_t sum = 0;
    const auto statement = stated(account, after_ns);
    for (const auto& line : statement.at("usage")) sum += line.at("octets").get<uint64_t>();
    return sum;
  }
  // Journaled so many seconds after the begin.
  static int64_t at(int64_t seconds) { return kBegin + seconds * kSecond; }
  static constexpr int64_t kSecond = 1'000'000'000;
  static constexpr int64_t kBegin = 1'790'000'000 * kSecond;
  static Reading reading(uint64_t service, uint16_t path, uint64_t octets,
                         Kind kind = Kind::first) {
    return {{.region = 77,
             .service = service,
             .path = path,
             .direction = Direction::sent,
             .kind = kind},
            octets,
            octets / 1000};
  }
  std::string folder_;
};

TEST(Money, IsExactAndRoundedOnce) {
  EXPECT_EQ(to_text(parse_amount("0.1").value() + parse_amount("0.2").value()), "0.30");
  EXPECT_EQ(to_text(parse_amount("-12.000000000000000001").value()), "-12.000000000000000001");
  for (const auto& [exact, rounded] :
       {std::pair("0.005", "0.01"), {"0.0049", "0.00"}, {"-0.005", "-0.01"}, {"2.675", "2.68"}}) {
    EXPECT_EQ(to_text(round_to_minor(parse_amount(exact).value(), 2)), rounded);
  }
  for (const char* wrong : {"", "1,5", "1.", ".5", "1e3", "0x1", " 1", "--1"})
    EXPECT_FALSE(parse_amount(wrong)) << wrong;
}

TEST(Tariffs, MistakesAreNamedByTheirField) {
  const auto parsed = parse_tariff({{"id", "x"},
                                    {"currency", "EURO"},
                                    {"prices", {{{"provider", "a"}, {"per_gb", "-1"}}}},
                                    {"discount", 3}});
  ASSERT_FALSE(parsed.has_value());
  std::vector<std::string> pointers;
  for (const auto& e : parsed.error()) pointers.push_back(e.pointer);
  EXPECT_EQ(pointers, (std::vector<std::string>{"/discount", "/currency", "/prices/0/per_gb"}));
}

TEST_F(OnDisk, UsageIsChargedOnceHoweverOftenItIsDelivered) {
  auto billing = open();
  const auto path = billing->ledger().path_id("link", "alpha", "net").value();
  const auto service =
      billing->ledger().open_service("acme", tariff("std", "1.00", "3.00"), "{}", kBegin).value();
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(billing->flush(std::vector{reading(service, path, 3'000'000'000)}, at(5)));
  billing.reset();
  billing = open();
  ASSERT_TRUE(billing->flush(std::vector{reading(service, path, 3'000'000'000)}, at(6)));
  ASSERT_TRUE(billing->flush(std::vector{reading(service, path, 4'000'000'000)}, at(7)));
  EXPECT_EQ(octets("client:acme"), 4'000'000'000u);
  EXPECT_EQ(stated("client:acme").at("gross"), "4.00");
}

TEST_F(OnDisk, Claim08and09OneStatementAggregatesTheChargesOfSeveralProviders) {
  auto billing = open();
  const auto a = billing->ledger().path_id("a", "alpha", "n").value(),
             b = billing->ledger().path_id("b", "beta", "n").value();
  const auto service =
      billing->ledger().open_service("acme", tariff("std", "1.00", "3.00"), "{}", kBegin).value();
  ASSERT_TRUE(billing->flush(
      std::vector{reading(service, a, 1'000'000'000), reading(service, b, 1'000'000'000)}, at(1)));
  const auto statement = stated("client:acme");
  ASSERT_EQ(statement.at("sections").size(), 2u);
  EXPECT_EQ(statement.at("sections")[0].at("subtotal"), "1.00");
  EXPECT_EQ(statement.at("sections")[1].at("subtotal"), "3.00");
  EXPECT_EQ(statement.at("gross"), "4.00");
}

TEST_F(OnDisk, AMeterThatGoesBackwardsIsCountedAndNeverChargedNegatively) {
  auto billing = open();
  const auto path = billing->ledger().path_id("link", "alpha", "net").value();
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 5000)}, at(1)));
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 4000)}, at(2)));
  EXPECT_EQ(billing->went_backwards(), 1u);
  EXPECT_EQ(octets("house:here"), 5000u);
}

TEST_F(OnDisk, ALedgerRestoredFromABackupGivesNobodyTheIdOfAServiceItForgot) {
  auto billing = open();
  ASSERT_TRUE(billing->ledger().backup(folder_ + "/backup"));
  const auto path = billing->ledger().path_id("link", "alpha", "net").value();
  const Tariff standard = tariff("std", "1.00", "1.00");
  const auto service = billing->ledger().open_service("acme", standard, "{}", kBegin).value();
  ASSERT_TRUE(billing->flush(std::vector{reading(service, path, 1'000'000'000)}, at(1)));
  billing.reset();
  for (const char* file : {"/ledger.sqlite", "/ledger.sqlite-wal", "/ledger.sqlite-shm"})
    fs::remove(folder_ + file);
  fs::rename(folder_ + "/backup", folder_ + "/ledger.sqlite");
  billing = open();
  EXPECT_EQ(billing->ledger().path_id("other", "beta", "net").value(), path + 1);
  EXPECT_EQ(billing->ledger().open_service("other", standard, "{}", kBegin).value(), service + 1);
  ASSERT_TRUE(billing->flush({}, at(3)));
  // Whose it is is known from the journal, and that the ledger forgot him, too.
  const nlohmann::json other{{"id", "other"}, {"tariff", "std"}, {"profile", "none"}};
  ASSERT_TRUE(billing->ledger().put_document("clients", "other", other.dump(), kBegin));
  Closer closer(billing->ledger(), {.journals = {folder_ + "/journal"}, .without = {}});
  const auto report = closer.run(kBegin + 80 * 86'400 * kSecond).value();
  EXPECT_NE(report.problems.at("").find("of whom the ledger knows no service"), std::string::npos);
  EXPECT_TRUE(billing->ledger().charged_sequences()->empty()) << "its usage must be kept";
}

TEST_F(OnDisk, ASecondProcessIsRefused) {
  auto billing = open();
  const auto second = Journal::open({.folder = folder_ + "/journal"});
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().find("in use"), std::string::npos);
}

// No file of this process grows beyond a limit while it lives.
class FullDisk {
 public:
  explicit FullDisk(rlim_t octets) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit full{octets, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &full);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

TEST_F(OnDisk, AFullDiskDelaysUsageAndLosesNone) {
  auto billing = open();
  const auto path = billing->ledger().path_id("link", "alpha", "net").value();
  uint64_t used = 0;
  int refused = 0;
  for (const rlim_t limit : {0, 1, 4096, 8192, 16'384, 32'768, 65'536, 131'072}) {
    {
      const FullDisk full(limit);
      for (int i = 0; i < 5; ++i)
        refused += !billing->flush(std::vector{reading(kHouse, path, used += 1000)}, at(1));
    }
    ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, used)}, at(1))) << limit;
    EXPECT_EQ(octets("house:here"), used) << limit;
  }
  EXPECT_GT(refused, 10);
  billing.reset();
  billing = open();
  EXPECT_EQ(octets("house:here"), used);
}

TEST_F(OnDisk, AClockThatIsSetBackLosesNoOctet) {
  auto billing = open();
  const auto path = billing->ledger().path_id("link", "alpha", "net").value();
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 5000)}, at(1000)));
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 9000)}, at(1)));
  EXPECT_EQ(octets("house:here"), 9000u);
  billing.reset();
  billing = open();
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 9500)}, at(2)));
  EXPECT_EQ(octets("house:here"), 9500u);
}

TEST_F(OnDisk, AFilesystemWithoutDirectWritesIsRefusedWithWhatToDo) {
  const std::string folder = "/dev/shm/anabranch-journal-" + std::to_string(getpid());
  const auto journal = Journal::open({.folder = folder});
  fs::remove_all(folder);
  if (journal) return;  // kernels from 6.5 on have O_DIRECT on tmpfs
  EXPECT_NE(journal.error().find("journal_direct"), std::string::npos);
}

// A child journals until it is killed at a random moment; what it was told is durable
// is there, nothing is twice.
TEST_F(OnDisk, KilledAtAnyMomentNothingIsLostAndNothingIsTwice) {
  uint16_t path = 0;
  {
    auto billing = open();
    path = billing->ledger().path_id("link", "alpha", "net").value();
  }
  std::mt19937 random(11);
  uint64_t acknowledged = 0;
  for (int round = 0; round < 25; ++round) {
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(pipe_fds[0]);
      auto billing = open();
      for (uint64_t octets = acknowledged + 1000;; octets += 1000) {
        if (!billing->flush(std::vector{reading(kHouse, path, octets)}, at(1))) _exit(1);
        if (write(pipe_fds[1], &octets, sizeof octets) != sizeof octets) _exit(1);
      }
    }
    close(pipe_fds[1]);
    uint64_t told = 0;
    const uint64_t wanted = 1 + random() % 5;
    for (uint64_t n = 0; n < wanted && read(pipe_fds[0], &told, sizeof told) == sizeof told; ++n)
      acknowledged = told;
    usleep(random() % 3000);  // the moment is what varies; nothing waits for it
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round;
    while (read(pipe_fds[0], &told, sizeof told) == sizeof told) acknowledged = told;
    close(pipe_fds[0]);
    auto billing = open();
    ASSERT_TRUE(billing->flush({}, at(1)));
    const uint64_t found = octets("house:here");
    EXPECT_GE(found, acknowledged);
    EXPECT_LE(found, acknowledged + 1000);
    acknowledged = found;
  }
}

}  // namespace
}  // namespace anabranch::billing
