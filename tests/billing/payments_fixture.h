// SPDX-License-Identifier: BSD-3-Clause
// A client whose statements are paid by card, and a processor that can be made to fail.
#pragma once

#include <functional>
#include <utility>

#include "billing/payer.h"
#include "tests/billing/closing_fixture.h"
#include "tests/billing/faulty_processor.h"
#include "tests/billing/faulty_store.h"

namespace anabranch::billing {

// As a processor is: it knows keys, and does each once. Its n-th call goes wrong in some way.
class SimulatedProcessor : public FaultyProcessor {
 public:
  CardAnswer charge(const CardCharge& c) override {
    if (meanwhile) std::exchange(meanwhile, {})();
    return carried([&] {
      if (!done_.contains(c.key)) {
        const PaymentState state = declines.empty() ? PaymentState::succeeded : declines.front();
        if (!declines.empty()) declines.erase(declines.begin());
        done_[c.key] = {
            .charge = c,
            .answer = {
                .state = state, .id = "pi_" + c.key, .later = state == PaymentState::failed}};
        if (state == PaymentState::succeeded) {
          charged += c.amount;
          ++charges;
        }
      }
      return is_slow ? CardAnswer{.state = PaymentState::pending, .id = "pi_" + c.key}
                     : done_.at(c.key).answer;
    });
  }
  CardAnswer find(const CardCharge& c, const std::string&) override {
    return carried([&] {
      const auto found = done_.find(c.key);
      return found == done_.end() ? CardAnswer{.state = PaymentState::pending, .absent = true}
                                  : found->second.answer;
    });
  }
  Told<std::vector<EarlierCharge>> earlier(const CardCharge& c) override {
    return carried([&]() -> Told<std::vector<EarlierCharge>> {
      std::vector<EarlierCharge> all;
      for (const auto& [key, made] : done_) {
        if (key != c.key && made.charge.account == c.account &&
            made.charge.statement == c.statement && made.answer.state == PaymentState::succeeded)
          all.push_back({.key = key, .amount = made.charge.amount, .answer = made.answer});
      }
      return all;
    });
  }
  CardAnswer refund(const std::string& id, const std::string& key, Amount amount,
                    const std::string&) override {
    return carried([&] {
      auto& refunds = made(id).refunds;
      if (std::none_of(refunds.begin(), refunds.end(),
                       [&](const CardRefund& r) { return r.key == key; })) {
        refunds.push_back({.id = "re_" + key, .key = key, .amount = amount});
        charged += -amount;
      }
      return CardAnswer{.state = PaymentState::succeeded, .id = "re_" + key};
    });
  }
  Told<std::vector<CardRefund>> refunds(const std::string& id, const std::string&) override {
    return carried([&]() -> Told<std::vector<CardRefund>> { return made(id).refunds; });
  }
  Told<std::vector<CardDispute>> disputes(const std::string& id) override {
    return carried([&]() -> Told<std::vector<CardDispute>> { return made(id).disputes; });
  }
  Told<std::set<std::string>> followed_since(int64_t since_ns) override {
    return carried([&]() -> Told<std::set<std::string>> {
      std::set<std::string> ids;
      for (const auto& [key, made] : done_) {
        if (made.touched_ns >= since_ns) ids.insert(made.answer.id);
      }
      return ids;
    });
  }

  // What others do there.
  void refund_by_hand(const std::string& key, Amount amount, int64_t now_ns) {
    Made& m = done_.at(key);
    m.touched_ns = now_ns;
    m.refunds.push_back({.id = "re_hand_" + std::to_string(++by_hand_), .amount = amount});
    charged += -amount;
  }
  void give_back_refund(const std::string& key) {
    CardRefund& r = done_.at(key).refunds.back();
    r.is_void = true;
    charged += r.amount;
  }
  void dispute(const std::string& key, Amount amount, Amount fee, int64_t now_ns) {
    Made& m = done_.at(key);
    m.touched_ns = now_ns;
    const std::string id = "dp_" + std::to_string(++by_hand_);
    m.disputes.push_back({.id = id,
                          .reason = "fraudulent",
                          .currency = "EUR",
                          .amount = amount,
                          .moves = {{"txn_" + id + "_out", "EUR", -amount, fee}}});
    charged += -amount + -fee;
  }
  // Won, it comes back with the fee.
  void decide(const std::string& key, DisputeState state) {
    CardDispute& d = done_.at(key).disputes.back();
    d.state = state;
    if (state != DisputeState::won) return;
    d.moves.push_back({"txn_" + d.id + "_in", "EUR", d.amount, -d.moves[0].fee});
    charged += d.amount + d.moves[0].fee;
  }

  std::vector<PaymentState> declines;  // of the next charges
  std::function<void()> meanwhile;     // happens once, when a card is charged
  Amount charged;                      // and not gone again: what is with the processor
  int charges = 0;
  bool is_slow = false;  // it answers before it knows

 private:
  struct Made {
    CardCharge charge;
    CardAnswer answer;
    std::vector<CardRefund> refunds;
    std::vector<CardDispute> disputes;
    int64_t touched_ns = 0;
  };
  Made& made(const std::string& id) {
    for (auto& [key, made] : done_) {
      if (made.answer.id == id) return made;
    }
    throw std::logic_error("it was asked for " + id);
  }

  std::map<std::string, Made> done_;  // by key
  int by_hand_ = 0;
};

class Payments : public ClosingTest {
 protected:
  void SetUp() override {
    ClosingTest::SetUp();
    put("tariffs", {{"id", "t"}, {"currency", "EUR"}, {"items", {{{"id", "x"}, {"per_gb", "1"}}}}});
    profile({{"by", "card"}, {"retry_days", {3, 7}}, {"then", "suspend"}});
    card("pm_1");
    service_ = open_service("site-a", "acme", day(10, 1));
  }

  void profile(const nlohmann::json& payment) {
    put("profiles", {{"id", "carded"}, {"billing", {{"payment", payment}}}}, day(9, 2));
  }
  void card(const char* method, int64_t from_ns = day(9, 2)) {
    put("clients",
        {{"id", "acme"},
         {"tariff", "t"},
         {"profile", "carded"},
         {"card", {{"customer", "cus_1"}, {"method", method}}}},
        from_ns);
  }
  // A statement of so many GB of a month, which is so many EUR.
  void owe(unsigned month, uint64_t gb) {
    gateway("site-a").used(day(month, 5), service_, 1, gb * kGb);
    close(day(month + 1, 2));
  }

  PayingReport run(int64_t now_ns, Ledger* ledger = nullptr) {
    auto report = Payer(ledger != nullptr ? *ledger : *ledger_, &processor_).run(now_ns);
    EXPECT_TRUE(report.has_value()) << report.error();
    return report.value_or(PayingReport());
  }
  // Until nothing is open any more.
  void settle(int64_t now_ns) {
    for (int i = 0; i < 50 && !open_payments().empty(); ++i) run(now_ns += kDay);
    EXPECT_TRUE(open_payments().empty());
  }
  std::vector<Payment> payments(bool open_only = false) {
    return ledger_
        ->payments({.account = "client:acme",
                    .issuer = "",
                    .statement = "",
                    .key = "",
                    .processor_id = "",
                    .open_only = open_only})
        .value();
  }
  std::vector<Payment> open_payments() { return payments(true); }
  Amount balance(const std::string& account) { return ledger_->balance(account)["EUR"]; }
  // A month's statement of so many EUR, paid when it is issued: the payment. Months are numbered
  // on.
  Payment paid_month(unsigned number, uint64_t gb) {
    const int year = 2026 + static_cast<int>(number - 1) / 12;
    const unsigned m = (number - 1) % 12 + 1;
    gateway("site-a").used(day(m, 5, year), service_, 1, gb * kGb);
    issued_ = kBerlin.begin_ns(kBerlin.day_of(day(m, 28, year) + 10 * kDay));
    close(issued_);
    const auto moved = run(issued_).moved;
    EXPECT_EQ(moved.size(), 1u);
    return moved.empty() ? Payment() : moved.front();
  }
  void expect_cash_is_right() {
    EXPECT_EQ(balance("cash:cards"), processor_.charged);
    expect_sound(*ledger_);
  }
  void expect_paid_once(Amount amount) {
    EXPECT_EQ(processor_.charged, amount);
    EXPECT_EQ(balance("cash:cards"), amount);
    EXPECT_EQ(balance("client:acme"), Amount());
    expect_sound(*ledger_);
  }

  SimulatedProcessor processor_;
  uint64_t service_ = 0;
  int64_t issued_ = 0;
};

}  // namespace anabranch::billing
