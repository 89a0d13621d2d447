// SPDX-License-Identifier: BSD-3-Clause
// The documents of a ledger as billing reads them: who issues statements, each client's terms, and
// the prices in force at any time. Only what billing needs of a document is read; a document that
// is not understood is a problem of whom it is for, and of nobody else.
//
//   issuers   {"id": "anabranch-co", "name": "Anabranch Co", "zone": "Europe/Berlin",
//   "grace_hours": 24} clients   {"id": "acme", "name": "Acme GmbH", "profile": "…", "tariff":
//   "business", "sla": "gold"} profiles  {"id": "…", "billing": {…}} (preferences.h) slas {"id":
//   "gold", "billing": {…}, "promises": […]}   (agreement.h) providers {"id": "airmobile", "name":
//   "Air Mobile", "tariff": "airmobile-wholesale"} tariffs, rates (tariff.h, exchange_rates.h)
//
// A version of a document is in force from the time it was stored, up to the next slot of five
// minutes so that a compacted journal is priced alike; the first one, before that too.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/agreement.h"
#include "billing/card.h"
#include "billing/exchange_rates.h"
#include "billing/ledger.h"
#include "billing/party.h"
#include "billing/period.h"
#include "billing/preferences.h"
#include "billing/price_list.h"
#include "billing/relations.h"

namespace anabranch::billing {

struct Issuer {
  std::string id = "anabranch", name = "Anabranch";
  Zone zone = Zone::utc();
  // So long after its end a period is closed: usage that comes until then is on its statement.
  int64_t grace_ns = 24LL * 3600 * 1'000'000'000;
  std::optional<CardsContract> cards;
  Party party;
  std::string payment_terms;  // in words, as on statements; may be empty
};
tl::expected<Issuer, DocumentErrors> parse_issuer(const nlohmann::json& document);

struct ProviderTerms {
  std::string id, name, tariff;  // by which we owe the provider
  std::string zone;              // of its cycle; empty: the issuer's
  unsigned cycle_day = 1;
  Party party;
};
tl::expected<ProviderTerms, DocumentErrors> parse_provider(const nlohmann::json& document);

// How an account is billed.
struct Terms {
  std::string id, name;
  Cycle cycle{Zone::utc()};
  Preferences preferences;
  std::optional<Agreement> agreement;
  std::optional<Card> card;
  std::optional<Reseller> reseller;
  struct PaidBy {
    std::string id, name;
  };
  std::optional<PaidBy> paid_by;  // another client

  PaymentTerms payment() const { return preferences.payment.value_or(PaymentTerms()); }
};

class BillingDocuments {
 public:
  template <typename T>
  using Result = tl::expected<T, std::string>;
  using Prices = std::vector<std::shared_ptr<const PriceList>>;

  static Result<BillingDocuments> read(const Ledger& ledger);

  const Issuer& issuer() const { return issuer_; }
  const ExchangeRates& rates() const { return rates_; }
  // Of a client at a time; of the house.
  Result<Terms> client(const std::string& id, int64_t at_ns) const;
  std::vector<std::string> clients() const;
  Terms house() const;
  // Clients for whom this one pays, or has paid at any time.
  std::set<std::string> paid_for_by(const std::string& client) const;
  // Since when the house has a tariff.
  std::optional<int64_t> house_since() const;
  // Providers whom we owe by a tariff, and since when.
  std::map<std::string, int64_t> providers() const;
  Result<Terms> provider(const std::string& id, int64_t at_ns) const;
  // Where a client, or each provider that we owe, has its seat at a time. What is wrong or missing
  // is left out: it keeps nobody from being billed.
  Party client_party(const std::string& id, int64_t at_ns) const;
  std::map<std::string, Party> provider_parties(int64_t at_ns) const;

  // What prices a period: a list for each stretch of it in which the same tariffs were in force.
  // Lists that are alike are the same object. Not for several threads.
  Result<Prices> client_prices(const std::string& id, const BilledPeriod& period, const Zone& zone);
  Result<Prices> house_prices(const BilledPeriod& period, const Zone& zone);
  Result<Prices> provider_prices(const std::string& id, const BilledPeriod& period,
                                 const Zone& zone);
  // By a tariff that is not among the documents.
  Result<Prices> prices_by(const Tariff& tariff, const BilledPeriod& period, const Zone& zone);

 private:
  // What a request asks for of billing, while there is its service.
  struct Wish {
    int64_t opened_ns, closed_ns;
    Preferences preferences;
  };
  using Versions = std::vector<DocumentVersion>;
  using Kind = std::map<std::string, Versions>;
  struct InForce {
    std::shared_ptr<const Tariff> tariff;
    std::map<std::string, std::shared_ptr<const Tariff>> providers;  // where passed through
    bool operator==(const InForce&) const = default;
  };
  using At = std::function<Result<InForce>(int64_t)>;

  BillingDocuments() = default;
  Result<Terms::PaidBy> payer_of(const std::string& client, const std::string& paid_by,
                                 int64_t at_ns) const;
  Result<nlohmann::json> document(const std::string& kind, const std::string& id,
                                  int64_t at_ns) const;
  bool awaits_order(const Versions& provider) const;
  void read_payers();
  void read_wishes(std::vector<ClientService> services);
  Preferences wishes(const std::string& client, const Period& period) const;
  Result<std::shared_ptr<const Tariff>> tariff(const std::string& id, int64_t at_ns);
  Result<InForce> in_force(const std::string& tariff, int64_t at_ns);
  Result<InForce> with_passed(std::shared_ptr<const Tariff> tariff, int64_t at_ns);
  Result<Prices> prices(const BilledPeriod& period, const Zone& zone, const At& at,
                        const Versions* own = nullptr);
  Result<std::shared_ptr<const PriceList>> list(const BilledPeriod& period, const Zone& zone,
                                                const InForce& in_force);

  std::map<std::string, Kind> kinds_;
  std::map<std::string, std::set<std::string>> paid_for_;  // by who pays, ever
  std::map<std::string, std::vector<Wish>> wishes_;        // by client, in the order of opening
  Issuer issuer_;
  ExchangeRates rates_;
  std::vector<int64_t> changes_;  // of tariffs and providers, in order
  // A tariff is parsed once for each version; by id and the document's number.
  std::map<std::pair<std::string, int64_t>, std::shared_ptr<const Tariff>> tariffs_;
  std::map<std::string, std::shared_ptr<const PriceList>> lists_;
};

}  // namespace anabranch::billing
