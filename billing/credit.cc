// SPDX-License-Identifier: BSD-3-Clause
#include "billing/credit.h"

#include <set>

namespace anabranch::billing {
namespace {

// So long a gateway that cannot reach the ledger goes on with what it has reserved.
constexpr int64_t kReservedNs = 600LL * 1'000'000'000;

class CreditLook {
 public:
  CreditLook(Ledger& ledger, Closer& closer, const std::string& gateway,
             const std::map<std::string, CreditAsked>& asked, int64_t now_ns)
      : ledger_(ledger), closer_(closer), gateway_(gateway), asked_(asked), now_ns_(now_ns) {}

  tl::expected<CreditReport, std::string> run() {
    const auto documents = BillingDocuments::read(ledger_);
    if (!documents) return tl::unexpected(documents.error());
    std::set<std::string> unpriced;
    for (const auto& [name, asked] : asked_) {
      const auto terms = documents->client(Ledger::client_of(name), now_ns_);
      if (!terms) {
        report_.problems[name] = terms.error();
        continue;
      }
      if (terms->payment().charge != ChargeWhen::ahead || terms->paid_by) continue;
      report_.accounts[name] = {.terms = terms->payment(), .used = {}, .reservation = {}};
      if (!asked.used) unpriced.insert(name);
    }
    if (auto priced = price(unpriced); !priced) return tl::unexpected(priced.error());
    std::set<std::string> outdated;
    for (auto& [name, credit] : report_.accounts) {
      if (auto reserved = reserve(name, credit); !reserved) return tl::unexpected(reserved.error());
      if (credit.reservation.is_outdated) outdated.insert(name);
    }
    // It was closed between the two. Once more; if again, it is the next look's.
    if (auto priced = price(outdated); !priced) return tl::unexpected(priced.error());
    for (const std::string& name : outdated) {
      const auto credit = report_.accounts.find(name);
      if (credit == report_.accounts.end()) continue;
      if (auto reserved = reserve(name, credit->second); !reserved)
        return tl::unexpected(reserved.error());
    }
    return std::move(report_);
  }

 private:
  tl::expected<void, std::string> price(const std::set<std::string>& names) {
    const auto unbilled = closer_.unbilled(names, now_ns_);
    if (!unbilled) return tl::unexpected(unbilled.error());
    for (const std::string& name : names) {
      const auto used = unbilled->accounts.find(name);
      const auto problem = unbilled->problems.find(name);
      if (used == unbilled->accounts.end() || problem != unbilled->problems.end()) {
        report_.problems[name] = problem != unbilled->problems.end()
                                     ? problem->second
                                     : "the ledger knows nothing of its services";
        report_.accounts.erase(name);
        continue;
      }
      Credit& credit = report_.accounts.at(name);
      credit.used = used->second;
      credit.is_priced = true;
    }
    return {};
  }

  tl::expected<void, std::string> reserve(const std::string& name, Credit& credit) {
    const CreditAsked& asked = asked_.at(name);
    if (!credit.is_priced) credit.used = *asked.used;
    const Amount used = credit.used.amount + (credit.is_priced ? Amount() : asked.since);
    const auto reserved = ledger_.reserve({.account = name,
                                           .gateway = gateway_,
                                           .currency = credit.used.currency,
                                           .from_ns = credit.used.from_ns,
                                           .used = used,
                                           .reserved = {},
                                           .until_ns = now_ns_ + kReservedNs},
                                          now_ns_, !asked.has_services);
    if (!reserved) return tl::unexpected(reserved.error().text);
    credit.reservation = *reserved;
    return {};
  }

  Ledger& ledger_;
  Closer& closer_;
  const std::string& gateway_;
  const std::map<std::string, CreditAsked>& asked_;
  int64_t now_ns_;
  CreditReport report_;
};

}  // namespace

tl::expected<CreditReport, std::string> look_at_credit(
    Ledger& ledger, Closer& closer, const std::string& gateway,
    const std::map<std::string, CreditAsked>& asked, int64_t now_ns) {
  return CreditLook(ledger, closer, gateway, asked, now_ns).run();
}

nlohmann::json to_json(const Balance& b) {
  return {{"currency", b.currency},
          {"credit", to_text(b.credit)},
          {"used", to_text(b.used)},
          {"left", to_text(b.credit + -b.used)},
          {"reserved", to_text(b.reserved)}};
}

tl::expected<std::vector<Balance>, std::string> balances_of(const Ledger& ledger, Closer* closer,
                                                            const std::string& gateway,
                                                            const std::string& account,
                                                            int64_t now_ns) {
  std::map<std::string, Balance> all;
  const auto in = [&](const std::string& currency) -> Balance& {
    Balance& one = all[currency];
    one.currency = currency;
    return one;
  };
  const auto sums = ledger.balance(account, INT64_MAX);
  if (!sums) return tl::unexpected(sums.error().text);
  for (const auto& [currency, sum] : *sums) in(currency).credit = -sum;
  const auto drawings = ledger.drawings(account, now_ns);
  if (!drawings) return tl::unexpected(drawings.error().text);
  for (const Drawing& d : *drawings) {
    const bool is_priced = closer != nullptr && (gateway.empty() || d.gateway == gateway);
    if (!is_priced) in(d.currency).used += d.used;
    in(d.currency).reserved += d.reserved;
  }
  if (closer != nullptr) {
    const auto unbilled = closer->unbilled({account}, now_ns);
    if (!unbilled) return tl::unexpected(unbilled.error());
    for (const auto& [name, problem] : unbilled->problems) return tl::unexpected(problem);
    for (const auto& [name, used] : unbilled->accounts) in(used.currency).used += used.amount;
  }
  std::vector<Balance> list;
  for (auto& [currency, balance] : all) list.push_back(std::move(balance));
  return list;
}

}  // namespace anabranch::billing
