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
  std::unique_ptr<Billing> open() {
    auto billing =
        Billing::open({.state_dir = folder_, .gateway = "here", .journal_segment_octets = 1u << 20},
                      tariff("house", "0.10", "0.20"));
    EXPECT_TRUE(billing.has_value()) << (billing ? "" : billing.error());
    return std::move(*billing);
  }
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
      billing->ledger().open_service("acme", tariff("std", "0.50", "2.00"), "{}", 1).value();
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(billing->flush(std::vector{reading(service, path, 3'000'000'000)}, 5));
  billing.reset();
  billing = open();
  ASSERT_TRUE(billing->flush(std::vector{reading(service, path, 3'000'000'000)}, 6));
  ASSERT_TRUE(billing->flush(std::vector{reading(service, path, 4'000'000'000)}, 7));
  const auto statement = make_statement(billing->ledger(), "client:acme").value();
  EXPECT_EQ(statement.octets, 4'000'000'000u);
  EXPECT_EQ(to_text(statement.total), "2.00");
}

// The oracle adds up octets and prices by itself.
TEST_F(OnDisk, StatementsAgreeWithAnOracleAndTheLedgerBalances) {
  auto billing = open();
  Ledger& ledger = billing->ledger();
  const uint16_t paths[] = {ledger.path_id("a1", "alpha", "n").value(),
                            ledger.path_id("a2", "alpha", "n").value(),
                            ledger.path_id("b1", "beta", "n").value()};
  const uint64_t services[] = {
      kHouse, ledger.open_service("acme", tariff("std", "0.123456789", "2.5"), "{}", 1).value()};
  std::mt19937_64 random(5);
  std::map<MeterKey, uint64_t> totals;
  for (int round = 0; round < 30; ++round) {
    std::vector<Reading> readings;
    for (const uint64_t service : services) {
      for (const uint16_t path : paths) {
        Reading r = reading(service, path, 0, random() % 2 == 0 ? Kind::first : Kind::control);
        r.octets = totals[r.key] += random() % 3'000'000'000;
        r.packets = r.octets;
        readings.push_back(r);
      }
    }
    ASSERT_TRUE(billing->flush(readings, round));
  }
  Int128 alpha = 0, beta = 0;
  uint64_t octets = 0;
  for (const auto& [key, total] : totals) {
    if (key.service == kHouse) continue;
    octets += total;
    if (key.kind != Kind::first) continue;  // control is not charged by this tariff
    (key.path == paths[2] ? beta : alpha) +=
        Int128{total} * (key.path == paths[2] ? 2'500'000'000 : 123'456'789);
  }
  const auto statement = make_statement(ledger, "client:acme").value();
  EXPECT_EQ(statement.octets, octets);
  ASSERT_EQ(statement.sections.size(), 2u);
  EXPECT_EQ(statement.sections[0].subtotal, round_to_minor(Amount::from_attos(alpha), 2));
  EXPECT_EQ(statement.sections[1].subtotal, round_to_minor(Amount::from_attos(beta), 2));
  EXPECT_EQ(ledger.balance("client:acme").at("EUR").attos(), alpha + beta);
  for (const auto& [currency, sum] : ledger.imbalance()) EXPECT_EQ(sum, Amount()) << currency;
}

TEST_F(OnDisk, Claim08and09OneStatementAggregatesTheChargesOfSeveralProviders) {
  auto billing = open();
  const auto a = billing->ledger().path_id("a", "alpha", "n").value(),
             b = billing->ledger().path_id("b", "beta", "n").value();
  const auto service =
      billing->ledger().open_service("acme", tariff("std", "1.00", "3.00"), "{}", 1).value();
  ASSERT_TRUE(billing->flush(
      std::vector{reading(service, a, 1'000'000'000), reading(service, b, 1'000'000'000)}, 1));
  const auto statement = make_statement(billing->ledger(), "client:acme").value();
  ASSERT_EQ(statement.sections.size(), 2u);
  EXPECT_EQ(to_text(statement.sections[0].subtotal), "1.00");
  EXPECT_EQ(to_text(statement.sections[1].subtotal), "3.00");
  EXPECT_EQ(to_text(statement.total), "4.00");
}

TEST_F(OnDisk, AMeterThatGoesBackwardsIsCountedAndNeverChargedNegatively) {
  auto billing = open();
  const auto path = billing->ledger().path_id("link", "alpha", "net").value();
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 5000)}, 1));
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 4000)}, 2));
  EXPECT_EQ(billing->went_backwards(), 1u);
  EXPECT_EQ(make_statement(billing->ledger(), "house:here").value().octets, 5000u);
}

TEST_F(OnDisk, UsageWithoutAPriceIsKeptUntilThereIsOne) {
  {
    auto billing = open();
    const auto path = billing->ledger().path_id("link", "gamma", "net").value();
    const auto refused = billing->flush(std::vector{reading(kHouse, path, 1'000'000'000)}, 1);
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().find("gamma"), std::string::npos);
  }
  Tariff house = tariff("house", "0.10", "0.20");
  house.price_per_octet["gamma"] = Amount::from_attos(1'000'000'000);
  auto document = nlohmann::json::parse(house.text);
  document["prices"].push_back({{"provider", "gamma"}, {"per_gb", "1.00"}});
  auto billing =
      Billing::open({.state_dir = folder_, .gateway = "here"}, parse_tariff(document).value())
          .value();
  ASSERT_TRUE(billing->flush({}, 2));
  EXPECT_EQ(to_text(make_statement(billing->ledger(), "house:here").value().total), "1.00");
}

TEST_F(OnDisk, ALedgerRestoredFromABackupGivesNobodyTheIdOfAServiceItForgot) {
  auto billing = open();
  ASSERT_TRUE(billing->ledger().backup(folder_ + "/backup"));
  const auto path = billing->ledger().path_id("link", "alpha", "net").value();
  const Tariff standard = tariff("std", "1.00", "1.00");
  const auto service = billing->ledger().open_service("acme", standard, "{}", 1).value();
  ASSERT_TRUE(billing->flush(std::vector{reading(service, path, 1'000'000'000)}, 1));
  billing.reset();
  for (const char* file : {"/ledger.sqlite", "/ledger.sqlite-wal", "/ledger.sqlite-shm"})
    fs::remove(folder_ + file);
  fs::rename(folder_ + "/backup", folder_ + "/ledger.sqlite");
  billing = open();
  EXPECT_EQ(billing->ledger().path_id("other", "beta", "net").value(), path + 1);
  EXPECT_EQ(billing->ledger().open_service("other", standard, "{}", 2).value(), service + 1);
  const auto flushed = billing->flush({}, 3);
  ASSERT_FALSE(flushed.has_value());
  EXPECT_NE(flushed.error().find("never opened"), std::string::npos) << flushed.error();
  EXPECT_TRUE(billing->ledger().balance("client:other").empty());
}

TEST_F(OnDisk, PostingsCannotBeChanged) {
  auto billing = open();
  const auto path = billing->ledger().path_id("link", "alpha", "net").value();
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 5'000'000)}, 1));
  const auto store = Store::open(folder_ + "/ledger.sqlite").value();
  EXPECT_FALSE(store->run("UPDATE postings SET amount = '0'"));
  EXPECT_FALSE(store->run("DELETE FROM postings"));
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

TEST_F(OnDisk, AFullDiskDelaysChargesAndLosesNone) {
  auto billing = open();
  const auto path = billing->ledger().path_id("link", "alpha", "net").value();
  uint64_t octets = 0;
  int refused = 0;
  // Small limits stop the journal, larger ones the ledger, whose file is longer than a few frames.
  for (const rlim_t limit : {0, 1, 4096, 8192, 16'384, 32'768, 65'536, 131'072}) {
    {
      const FullDisk full(limit);
      for (int i = 0; i < 5; ++i)
        refused += !billing->flush(std::vector{reading(kHouse, path, octets += 1000)}, 1);
    }
    ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, octets)}, 1)) << limit;
    EXPECT_EQ(make_statement(billing->ledger(), "house:here").value().octets, octets) << limit;
  }
  EXPECT_GT(refused, 10);
  EXPECT_TRUE(billing->ledger().imbalance()["EUR"] == Amount());
  billing.reset();
  EXPECT_EQ(make_statement(open()->ledger(), "house:here").value().octets, octets);
}

TEST_F(OnDisk, AClockThatIsSetBackChangesNoCharge) {
  auto billing = open();
  const auto path = billing->ledger().path_id("link", "alpha", "net").value();
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 5000)}, 1'000'000'000'000));
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 9000)}, 1));
  EXPECT_EQ(make_statement(billing->ledger(), "house:here").value().octets, 9000u);
  billing.reset();
  billing = open();
  ASSERT_TRUE(billing->flush(std::vector{reading(kHouse, path, 9500)}, 2));
  EXPECT_EQ(make_statement(billing->ledger(), "house:here").value().octets, 9500u);
}

TEST_F(OnDisk, AFilesystemWithoutDirectWritesIsRefusedWithWhatToDo) {
  const std::string folder = "/dev/shm/anabranch-journal-" + std::to_string(getpid());
  const auto journal = Journal::open({.folder = folder});
  fs::remove_all(folder);
  if (journal) return;  // kernels from 6.5 on have O_DIRECT on tmpfs
  EXPECT_NE(journal.error().find("journal_direct"), std::string::npos);
}

// A child journals and charges until it is killed at a random moment; what it was told is durable
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
        if (!billing->flush(std::vector{reading(kHouse, path, octets)}, 1)) _exit(1);
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
    ASSERT_TRUE(billing->flush({}, 1));
    const auto statement = make_statement(billing->ledger(), "house:here").value();
    EXPECT_GE(statement.octets, acknowledged);
    EXPECT_LE(statement.octets, acknowledged + 1000);
    acknowledged = statement.octets;
  }
}

}  // namespace
}  // namespace anabranch::billing
