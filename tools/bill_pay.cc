// SPDX-License-Identifier: BSD-3-Clause
// anabranch bill pay|refund|payments|dun: what statements are paid by.
#include <memory>

#include "billing/credit.h"
#include "billing/on_account.h"
#include "billing/payment_json.h"
#include "billing/wall_clock.h"
#include "tools/common.h"

namespace anabranch::tools {
namespace {

using namespace billing;
using nlohmann::json;

struct PayWanted {
  std::string ledger, client, issuer, number, key, received, ahead, currency, reference, amount;
  std::vector<std::string> journals;
};

// A ledger with the processor that its issuer's document names, if any.
struct Desk {
  explicit Desk(const PayWanted& wanted) : ledger(open(wanted.ledger)) {
    const auto documents = valid(BillingDocuments::read(ledger));
    issuer = documents.issuer().id;
    if (documents.issuer().cards) processor = valid(open_processor(*documents.issuer().cards));
  }
  static Ledger open(const std::string& where) {
    auto ledger = Ledger::open_existing(where);
    if (!ledger) fail(kUnreadable, ledger.error());
    return std::move(*ledger);
  }
  Payer payer() { return {ledger, processor.get()}; }

  Ledger ledger;
  std::string issuer;
  std::unique_ptr<CardProcessor> processor;
};

std::string account_named(const std::string& client) {
  return client.empty() ? "" : Ledger::client_account(client);
}

const char* state_of(const Payment& p) {
  return kPaymentStateNames[static_cast<size_t>(p.now.state)];
}

void print(const Payment& p) {
  fmt::print("{:<34} {:<9} {:<14} {:>12} {}  {:<17} {}\n", p.key,
             kPaymentKindNames[static_cast<size_t>(p.kind)],
             p.statement.empty() ? "-" : p.statement, to_text(p.amount), p.currency, state_of(p),
             p.now.detail);
}

// What succeeded, or is under way, is no failure.
int show(const Payment& p, bool as_json) {
  if (as_json)
    print_json(to_json(p));
  else
    print(p);
  const bool failed =
      p.now.state == PaymentState::failed || p.now.state == PaymentState::requires_customer;
  return failed ? kRefused : 0;
}

Amount amount_option(const char* option, const std::string& text) {
  const auto amount = parse_amount(text);
  if (!amount || *amount <= Amount())
    throw CLI::ValidationError(option, text + ": expected an amount such as 12.50");
  return *amount;
}

// In whole coins of its currency.
Amount coins_option(const char* option, const std::string& text, const std::string& currency) {
  if (!minor_digits(currency))
    throw CLI::ValidationError("--currency", currency + ": expected such as EUR");
  const Amount amount = amount_option(option, text);
  if (round_to_minor(amount, *minor_digits(currency)) != amount)
    throw CLI::ValidationError(option, text + ": expected whole coins");
  return amount;
}

Payment transfer(const PayWanted& wanted, const std::string& issuer) {
  if (wanted.reference.empty() || wanted.client.empty() || wanted.currency.empty())
    throw CLI::ValidationError("--received", "expected --client, --currency and --reference too");
  const Amount amount = coins_option("--received", wanted.received, wanted.currency);
  return {.account = account_named(wanted.client),
          .issuer = wanted.number.empty() ? "" : issuer,
          .statement = wanted.number,
          .currency = wanted.currency,
          .amount = amount};
}

int pay_ahead(Desk& desk, const PayWanted& wanted, bool as_json) {
  if (wanted.client.empty() || wanted.currency.empty())
    throw CLI::ValidationError("--ahead", "expected --client and --currency too");
  const Amount amount = coins_option("--ahead", wanted.ahead, wanted.currency);
  Payer payer = desk.payer();
  return show(valid(OnAccount(desk.ledger, payer)
                        .pay(account_named(wanted.client), wanted.currency, amount, wall_now_ns())),
              as_json);
}

int pay(const PayWanted& wanted, bool as_json) {
  Desk desk(wanted);
  if (!wanted.ahead.empty()) return pay_ahead(desk, wanted, as_json);
  const std::string& issuer = wanted.issuer.empty() ? desk.issuer : wanted.issuer;
  if (!wanted.received.empty()) {
    const Payment paid = transfer(wanted, issuer);
    return show(valid(desk.payer().received(paid, wanted.reference, wall_now_ns())), as_json);
  }
  if (wanted.number.empty())
    throw CLI::ValidationError("number",
                               "expected the number of a statement, --received, or --ahead");
  return show(valid(desk.payer().pay(issuer, wanted.number, wall_now_ns())), as_json);
}

int refund(const PayWanted& wanted, bool as_json) {
  Desk desk(wanted);
  const Amount amount = amount_option("--amount", wanted.amount);
  return show(valid(desk.payer().refund(wanted.key, amount, wall_now_ns())), as_json);
}

int payments(const PayWanted& wanted, bool as_json) {
  Desk desk(wanted);
  const auto all = valid(
      desk.ledger.payments({.account = account_named(wanted.client), .statement = wanted.number}));
  json list = json::array();
  for (const Payment& p : all) {
    if (as_json)
      list.push_back(to_json(p));
    else
      print(p);
  }
  if (as_json) print_json(list);
  if (all.empty() && !as_json) fmt::print("nothing was paid\n");
  return 0;
}

// What is charged on account, too: without journals it is not known what was used, and nothing is.
PayingReport run_payments(Desk& desk, const PayWanted& wanted) {
  const std::string account = account_named(wanted.client);
  Payer payer = desk.payer();
  PayingReport report = valid(payer.run(wall_now_ns(), account, true));
  if (wanted.journals.empty()) return report;
  const int64_t now_ns = wall_now_ns();
  Closer closer(desk.ledger, {.journals = wanted.journals, .without = {}, .threads = 0});
  const auto find = [&](const std::set<std::string>& names) {
    return closer.unbilled(names, now_ns);
  };
  PayingReport more = valid(OnAccount(desk.ledger, payer).run(find, now_ns, account));
  report.moved.insert(report.moved.end(), std::make_move_iterator(more.moved.begin()),
                      std::make_move_iterator(more.moved.end()));
  report.notes.insert(report.notes.end(), more.notes.begin(), more.notes.end());
  report.problems.merge(more.problems);
  if (more.next_ns) report.next_ns = std::min(report.next_ns.value_or(INT64_MAX), *more.next_ns);
  return report;
}

int dun(const PayWanted& wanted, bool as_json) {
  Desk desk(wanted);
  const PayingReport report = run_payments(desk, wanted);
  for (const Payment& p : report.moved) {
    if (!as_json) print(p);
  }
  for (const std::string& note : report.notes) {
    if (!as_json) fmt::print("{}\n", note);
  }
  for (const Standing& s : report.overdue) {
    if (!as_json)
      fmt::print("{} is overdue with statement {} since {}: {}\n", s.account, s.statement,
                 Zone::utc().text(s.overdue_ns), kWhenOverdueNames[static_cast<size_t>(s.then)]);
  }
  if (as_json) {
    print_json(to_json(report));
  } else if (report.moved.empty() && report.notes.empty() && report.overdue.empty() &&
             report.problems.empty()) {
    fmt::print("nothing is due{}\n",
               report.next_ns ? "; the next is at " + Zone::utc().text(*report.next_ns) : "");
  }
  for (const auto& [account, problem] : report.problems)
    fmt::print(stderr, "anabranch: {}: {}\n", account, problem);
  return report.problems.empty() ? 0 : kRefused;
}

// Without journals: what gateways have said last that they used.
int balance(const PayWanted& wanted, bool as_json) {
  if (wanted.client.empty()) throw CLI::ValidationError("--client", "expected whose balance");
  Ledger ledger = Desk::open(wanted.ledger);
  Closer closer(ledger, {.journals = wanted.journals, .without = {}, .threads = 0});
  const auto all = valid(balances_of(ledger, wanted.journals.empty() ? nullptr : &closer, "",
                                     account_named(wanted.client), wall_now_ns()));
  json list = json::array();
  for (const Balance& b : all) {
    list.push_back(to_json(b));
    if (as_json) continue;
    fmt::print("credit {:>12} {}; used since the last statement {}, left {}, of it reserved {}\n",
               to_text(b.credit), b.currency, to_text(b.used), to_text(b.credit + -b.used),
               to_text(b.reserved));
  }
  if (as_json) print_json(list);
  if (all.empty() && !as_json) fmt::print("nothing was paid or used\n");
  return 0;
}

}  // namespace

void add_bill_pay(CLI::App& bill, const bool& as_json) {
  const auto make = [&](const char* name, const char* what, int (*run)(const PayWanted&, bool)) {
    auto wanted = std::make_shared<PayWanted>();
    auto* sub = bill.add_subcommand(name, what);
    sub->add_option("--ledger", wanted->ledger, "STATE_DIR/ledger.sqlite, or billing.ledger")
        ->required();
    sub->callback([wanted, &as_json, run] {
      if (const int status = run(*wanted, as_json); status != 0) std::exit(status);
    });
    return std::pair(sub, wanted);
  };
  {
    const auto [sub, wanted] =
        make("pay", "charge a statement to its client's card; or note what arrived", pay);
    sub->add_option("number", wanted->number, "of the statement, such as 2026-000001");
    sub->add_option("--issuer", wanted->issuer, "of whom, where it is not the ledger's issuer");
    sub->add_option("--received", wanted->received, "an amount that arrived by transfer");
    sub->add_option("--ahead", wanted->ahead, "an amount to charge to the card, for what will be");
    sub->add_option("--currency", wanted->currency, "of it, such as EUR");
    sub->add_option("--client", wanted->client, "whose it is");
    sub->add_option("--reference", wanted->reference, "of the transfer: counted once");
  }
  {
    const auto [sub, wanted] =
        make("refund", "give back what a payment paid, or some of it", refund);
    sub->add_option("key", wanted->key, "of the payment, as `bill payments` shows it")->required();
    sub->add_option("--amount", wanted->amount, "such as 12.50")->required();
  }
  {
    const auto [sub, wanted] = make("payments", "payments, and what became of each", payments);
    sub->add_option("--client", wanted->client, "whose");
    sub->add_option("--statement", wanted->number, "of which statement");
  }
  {
    const auto [sub, wanted] = make(
        "balance", "what a client has paid ahead, and what is used and reserved of it", balance);
    sub->add_option("--client", wanted->client, "whose")->required();
    sub->add_option("journals", wanted->journals,
                    "of all gateways: what was used is priced by them");
  }
  {
    const auto [sub, wanted] =
        make("dun", "go on with open payments, charge what is due, and say what is overdue", dun);
    sub->add_option("journals", wanted->journals,
                    "of gateways: what was used is charged on account, too, where it is agreed");
    sub->add_option("--client", wanted->client, "whose alone");
  }
}

}  // namespace anabranch::tools
