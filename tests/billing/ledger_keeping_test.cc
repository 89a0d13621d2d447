// SPDX-License-Identifier: BSD-3-Clause
// Copies and exports: what leaves the ledger is all of it.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "billing/ledger.h"
#include "tests/billing/ledger_fixture.h"

namespace anabranch::billing {
namespace {

namespace fs = std::filesystem;

class LedgerKeeping : public LedgerTest {
 protected:
  static std::string output_of(const std::string& command) {
    std::string out;
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    char buffer[4096];
    while (const size_t n = fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
    const int status = pclose(pipe);
    EXPECT_EQ(status, 0) << command << "\n" << out;
    return out;
  }
  std::string exported(const Ledger& ledger) {
    const std::string file = folder_ + "/ledger.journal";
    std::ofstream out(file);
    EXPECT_TRUE(ledger.export_hledger([&](const std::string& text) { out << text; }));
    return file;
  }
  static bool has_hledger() { return std::system("command -v hledger >/dev/null 2>&1") == 0; }
};

// Taken while another process closes periods: the copy is whole, and goes on from where it is.
TEST_P(LedgerKeeping, ABackupWhileOthersWriteIsRestoredWhole) {
  Ledger ledger = open();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(ledger.close(month("a" + std::to_string(i), 0)));
  const pid_t writer = fork();
  if (writer == 0) {
    Ledger other = open();
    for (int i = 0;; ++i) {
      if (!other.close(month("w" + std::to_string(i), 0))) _exit(1);
    }
  }
  usleep(50'000);  // the moment is what varies
  const std::string file = folder_ + "/backup";
  const auto taken = ledger.backup(file);
  kill(writer, SIGKILL);
  waitpid(writer, nullptr, 0);
  ASSERT_TRUE(taken.has_value()) << taken.error().text;
  EXPECT_FALSE(ledger.backup(file).has_value());  // is not overwritten
  EXPECT_FALSE(fs::exists(file + ".part"));

  std::string restored = file;
  if (!lite()) {
    const auto admin = Store::open(postgres().url("postgres")).value();
    const std::string database = "restored_" + std::to_string(getpid());
    ASSERT_TRUE(admin->script("CREATE DATABASE " + database));
    output_of("pg_restore --exit-on-error --dbname='" + postgres().url(database) + "' " + file);
    restored = where_;
    restored.replace(restored.find("///postgres?") + 3, 8, database);
  }
  Ledger copy = Ledger::open(restored, "here").value();
  expect_sound(copy);
  const auto statements = copy.store().read("SELECT count(*) FROM statements")->front().integer(0);
  EXPECT_GE(statements, 50);
  EXPECT_EQ(copy.store().read("SELECT count(*) FROM periods")->front().integer(0), statements);
  for (int i = 0; i < 50; ++i)
    EXPECT_TRUE(copy.close(month("a" + std::to_string(i), 0))->repeated) << i;
  EXPECT_EQ(copy.close(month("new", 0))->statements[0].number, statements + 1);
  EXPECT_FALSE(copy.store().run("DELETE FROM postings"));
  expect_sound(copy);
}

TEST_P(LedgerKeeping, HledgerAcceptsTheExportAndComesToTheSameBalances) {
  if (!has_hledger()) GTEST_SKIP() << "hledger is not installed";
  Ledger ledger = open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ledger.close(month("acme", i)));
  const Transaction odd{.id = "odd; id",
                        .wall_ns = kJanuary,
                        .purpose = "a  purpose; with | all",
                        .party = "client:Ödön & söhne",
                        .corrects = "",
                        .entries = {{"client:Ödön & söhne", "JPY", money("7.000000000000000001")},
                                    {"client:two  spaces;100%", "KWD", money("-1.001")},
                                    {"adjustment:x", "KWD", money("1.001")},
                                    {"revenue:alpha", "JPY", money("-7.000000000000000001")}}};
  ASSERT_TRUE(ledger.post(odd));
  const std::string file = exported(ledger);
  output_of("hledger -f " + file + " check --strict");
  EXPECT_EQ(output_of("hledger -f " + file + " print -O csv | wc -l"),
            "29\n");  // 3 months of 8, 4, a head
  // Each balance, by name.
  std::istringstream csv(
      output_of("hledger -f " + file + " balance --flat -E -O csv --layout=bare"));
  std::string line;
  std::map<std::string, std::map<std::string, Amount>> found;
  std::getline(csv, line);
  while (std::getline(csv, line)) {
    std::erase(line, '"');
    const size_t last = line.rfind(','), middle = line.rfind(',', last - 1);
    const std::string account = line.substr(0, middle);
    if (account != "total")
      found[account][line.substr(middle + 1, last - middle - 1)] =
          money(line.substr(last + 1).c_str());
  }
  auto expected = ledger.balances().value();
  auto renamed = expected.extract("client:two  spaces;100%");
  renamed.key() = "client:two %20spaces%3b100%25";
  expected.insert(std::move(renamed));
  for (auto& [account, sums] : expected) {
    for (const auto& [currency, sum] : sums) EXPECT_EQ(found[account][currency], sum) << account;
  }
}

// What operators run, on a ledger that is in use.
TEST_P(LedgerKeeping, TheCommandLineVerifiesCopiesAndExports) {
  const char* anabranch = std::getenv("ANABRANCH");
  if (anabranch == nullptr) GTEST_SKIP() << "ANABRANCH says where the program is";
  const auto run = [&](const std::string& arguments, const std::string& where) {
    return output_of(std::string(anabranch) + " ledger " + arguments + " '" + where + "'");
  };
  Ledger ledger = open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ledger.close(month("acme", i)));
  EXPECT_NE(run("verify", where_).find("nothing is wrong"), std::string::npos);
  const auto balances = nlohmann::json::parse(run("balance --json", where_));
  EXPECT_EQ(balances.at("client:acme").at("EUR"), "35.70");
  EXPECT_NE(run("balance", where_).find("35.70 EUR"), std::string::npos);
  if (has_hledger()) {
    run("export", where_ + "' >'" + folder_ + "/exported.journal");
    output_of("hledger -f " + folder_ + "/exported.journal check --strict");
  }
  run("backup --to " + folder_ + "/copy", where_);
  if (lite()) {
    EXPECT_NE(run("verify", folder_ + "/copy").find("nothing is wrong"), std::string::npos);
  }
  EXPECT_NE(
      std::system((std::string(anabranch) + " ledger verify /nonexistent 2>/dev/null").c_str()), 0);
  EXPECT_FALSE(fs::exists("/nonexistent"));
}

ANABRANCH_BOTH_STORES(LedgerKeeping);

}  // namespace
}  // namespace anabranch::billing
