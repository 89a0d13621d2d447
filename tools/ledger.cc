// SPDX-License-Identifier: BSD-3-Clause
#include "tools/ledger.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "billing/ledger.h"
#include "tools/common.h"

namespace anabranch::tools {
namespace {

using namespace billing;
using nlohmann::json;

struct LedgerWanted {
  std::string where, to;
};

int verify(Ledger& ledger, const LedgerWanted&, bool as_json) {
  const std::vector<std::string> wrong = valid(ledger.verify());
  if (as_json)
    fmt::print("{}\n", json(wrong).dump(2, ' ', false, json::error_handler_t::replace));
  else if (wrong.empty())
    fmt::print(
        "nothing is wrong: every transaction adds up to zero, no statement is missing or "
        "changed\n");
  else
    for (const std::string& sentence : wrong) fmt::print("{}\n", sentence);
  return wrong.empty() ? 0 : kRefused;
}

int balance(Ledger& ledger, const LedgerWanted&, bool as_json) {
  const auto balances = valid(ledger.balances());
  json all = json::object();
  for (const auto& [account, sums] : balances) {
    for (const auto& [currency, sum] : sums) {
      all[account][currency] = to_text(sum);
      if (!as_json) fmt::print("{:<40} {:>28} {}\n", account, to_text(sum), currency);
    }
  }
  if (as_json) fmt::print("{}\n", all.dump(2, ' ', false, json::error_handler_t::replace));
  return 0;
}

// Of all time. A provider's share of what clients are charged, and what we owe it; a reseller's
// share is a cost, too.
int margin(Ledger& ledger, const LedgerWanted&, bool as_json) {
  json all = json::array();
  for (const auto& m : valid(ledger.margin(INT64_MIN, INT64_MAX))) {
    if (as_json) {
      all.push_back({{"party", m.party},
                     {"with", m.provider},
                     {"currency", m.currency},
                     {"revenue", to_text(m.revenue)},
                     {"cost", to_text(m.cost)},
                     {"margin", to_text(m.margin())}});
    } else {
      fmt::print("{:<28} {:<20} {:>16} {:>16} {:>16} {}\n", m.party, m.provider, to_text(m.revenue),
                 to_text(-m.cost), to_text(m.margin()), m.currency);
    }
  }
  if (as_json) fmt::print("{}\n", all.dump(2, ' ', false, json::error_handler_t::replace));
  return 0;
}

int export_journal(Ledger& ledger, const LedgerWanted&, bool) {
  valid(ledger.export_hledger([](const std::string& text) { fmt::print("{}", text); }));
  if (std::fflush(stdout) != 0) fail(kUnreadable, "the export cannot be written");
  return 0;
}

int backup(Ledger& ledger, const LedgerWanted& wanted, bool) {
  valid(ledger.backup(wanted.to));
  return 0;
}

}  // namespace

void add_ledger(CLI::App& app, const bool& as_json) {
  auto* ledger = app.add_subcommand("ledger", "a gateway's ledger, which may be in use");
  ledger->require_subcommand(1);
  struct Command {
    const char* name;
    const char* what;
    int (*run)(Ledger&, const LedgerWanted&, bool);
  };
  for (const Command& command :
       {Command{"verify", "does all of it add up, and are statements as they were issued?", verify},
        Command{"balance", "each account's sum: what a client owes is positive", balance},
        Command{"margin", "by client: what each provider's share is charged, and what it costs us",
                margin},
        Command{"export", "print all of it as a journal for hledger", export_journal},
        Command{"backup", "copy it to a file, with all that is committed", backup}}) {
    auto wanted = std::make_shared<LedgerWanted>();
    auto* sub = ledger->add_subcommand(command.name, command.what);
    sub->add_option("ledger", wanted->where,
                    "STATE_DIR/ledger.sqlite, or the gateway's billing.ledger")
        ->required();
    if (command.run == backup)
      sub->add_option("--to", wanted->to, "the file to make; it must not exist")->required();
    sub->callback([wanted, &as_json, run = command.run] {
      auto opened = Ledger::open_existing(wanted->where);
      if (!opened) fail(kUnreadable, opened.error());
      const int status = run(*opened, *wanted, as_json);
      if (status != 0) std::exit(status);
    });
  }
}

}  // namespace anabranch::tools
