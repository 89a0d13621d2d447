// SPDX-License-Identifier: BSD-3-Clause
// The ledger: who owes whom, in double entry, and everything billing must remember. In a Store:
// SQLite or PostgreSQL.
//
// Postings, transactions, statements and documents are never changed or removed (the database
// refuses it), and every transaction adds up to zero in each currency. How far each meter is
// charged is stored in the same database transaction as the postings, so usage is charged once
// however often it is delivered. Whatever writes may be called again after an error, and does
// nothing twice. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/ledger_closing.h"
#include "billing/ledger_credit.h"
#include "billing/ledger_payments.h"
#include "billing/ledger_posting.h"
#include "billing/ledger_settlement.h"
#include "billing/store.h"
#include "billing/tariff.h"
#include "billing/usage.h"

namespace anabranch::billing {

inline constexpr uint64_t kHouse = 0;  // the "service" of what belongs to no client

struct ServiceEntry {
  uint64_t id = 0;
  std::string client;
  std::string tariff, tariff_version;
  std::string request;  // JSON, for whoever opened it
  int64_t opened_ns = 0;
  std::optional<int64_t> closed_ns;
  bool closed() const { return closed_ns.has_value(); }
};

// A service as billing sees it, whichever gateway has it.
struct ClientService {
  std::string gateway;
  uint64_t id = 0;
  std::string client;
  int64_t opened_ns = 0;
  std::optional<int64_t> closed_ns;
  std::string request;  // as in ServiceEntry
};

struct PathEntry {
  std::string name, provider, network;
};

struct DocumentVersion {
  int64_t number = 0;         // from 1, in the order of storing
  int64_t valid_from_ns = 0;  // in force until another one is
  std::string text;
};

class Ledger {
 public:
  using Status = tl::expected<void, std::string>;
  // `where`: a file or "postgresql://…". `gateway` names the house account, and whose paths and
  // services these are: several gateways may share a ledger. The error: cannot be opened, or of a
  // newer version.
  static tl::expected<Ledger, std::string> open(const std::string& where,
                                                const std::string& gateway);
  static tl::expected<Ledger, std::string> open(std::unique_ptr<Store> store,
                                                const std::string& gateway);

  // One that is there, for looking and copying, while a gateway may use it: nothing is made or
  // brought up to date.
  static tl::expected<Ledger, std::string> open_existing(const std::string& where);

  // The catalogue of this gateway: the same three names always have the same id (from 1).
  tl::expected<uint16_t, std::string> path_id(const std::string& name, const std::string& provider,
                                              const std::string& network);
  // One that a ledger restored from a backup may have forgotten, and its journal knows.
  Status keep_path(uint16_t id, const PathEntry& path);
  std::optional<PathEntry> path(uint16_t id) const;
  tl::expected<std::map<uint16_t, PathEntry>, std::string> paths() const;
  // Of all gateways that share the ledger.
  Stored<std::map<std::pair<std::string, uint16_t>, PathEntry>> all_paths() const;

  // Ids are never used again; nor are those up to the reserved one, which a ledger that was
  // restored from a backup may have forgotten.
  tl::expected<uint64_t, std::string> open_service(const std::string& client, const Tariff& tariff,
                                                   const std::string& request, int64_t wall_ns);
  Status reserve_service_ids(uint64_t through);
  Status close_service(uint64_t id, int64_t wall_ns);
  // What the service was asked for as, from now on.
  Status change_request(uint64_t id, const std::string& request);
  tl::expected<std::vector<ServiceEntry>, std::string> services() const;
  std::optional<ServiceEntry> service(uint64_t id) const;
  // Of all gateways that share the ledger: whose, and since when.
  Stored<std::vector<ClientService>> client_services() const;
  Stored<std::set<std::string>> gateways() const;

  Status put_tariff(const Tariff& tariff);
  std::optional<Tariff> tariff(const std::string& id, const std::string& version) const;

  // Documents that others keep here (profiles, tariffs, agreements, exchange rates): each text
  // stays as a version, which is in force from a time on. What is in force already is not stored
  // again.
  Status put_document(const std::string& kind, const std::string& id, const std::string& text,
                      int64_t valid_from_ns);
  Status put_documents(std::span<const DocumentDraft> documents);
  // The newest of each id, in the order of ids: id, text.
  tl::expected<std::vector<std::pair<std::string, std::string>>, std::string> documents(
      const std::string& kind) const;
  Stored<std::optional<DocumentVersion>> document(const std::string& kind, const std::string& id,
                                                  int64_t at_ns) const;
  Stored<std::vector<DocumentVersion>> document_versions(const std::string& kind,
                                                         const std::string& id) const;
  // Of all ids, in the order in which they came into force.
  Stored<std::map<std::string, std::vector<DocumentVersion>>> document_history(
      const std::string& kind) const;

  // --- Accounts (posting.cc) ---

  // An account is "client:<id>" or "house:<gateway>", or another of kAccountKinds.
  std::string house_account() const { return "house:" + gateway_; }
  static std::string client_account(const std::string& client) { return kClientPrefix + client; }
  // Empty: the account is none of a client's.
  static std::string client_of(const std::string& account) {
    const std::string prefix = kClientPrefix;
    return account.starts_with(prefix) ? account.substr(prefix.size()) : "";
  }

  // Refused unless each currency adds up to zero. The same again is not posted again; another one
  // of the same id is refused.
  Stored<Posted> post(const Transaction& transaction);
  Stored<std::optional<Transaction>> transaction(const std::string& id) const;
  // All, in the order of posting, from that number on; at most `count`.
  Stored<std::vector<std::pair<int64_t, Transaction>>> transactions(int64_t from,
                                                                    size_t count) const;

  // The sum of an account's postings before a time, by currency.
  Stored<std::map<std::string, Amount>> balance(const std::string& account,
                                                int64_t before_ns) const;
  Stored<std::map<std::string, std::map<std::string, Amount>>> balances(
      int64_t before_ns = INT64_MAX) const;  // by account
  Stored<std::vector<MarginLine>> margin(int64_t from_ns, int64_t to_ns) const;
  // Of all time; empty after an error. What a client owes is positive.
  std::map<std::string, Amount> balance(const std::string& account) const;
  // The sum over all postings of each currency: zero, always.
  std::map<std::string, Amount> imbalance() const;

  // --- Periods (ledger_closing.cc) ---

  // Each is closed once: the same account and period again returns what was stored then. All of
  // `periods` are stored or none; some dozens at once make better use of a transaction.
  Stored<std::vector<Closing>> close(std::span<const ClosedPeriod> periods);
  Stored<Closing> close(const ClosedPeriod& period);
  // Posts to a period that is closed already: another price, say. Its tariffs and its own postings
  // stay. Once for each `id`.
  Stored<Closing> correct(const ClosedPeriod& correction, const std::string& id);
  // Of each account that has any, the end of its last closed period.
  Stored<std::map<std::string, int64_t>> closed_through() const;
  // Up to which frame of each gateway's journal all usage is charged: what may be removed.
  Stored<std::map<std::string, uint64_t>> charged_sequences() const;
  Stored<void> set_charged_sequence(const std::string& gateway, uint64_t sequence);
  // Open or closing; an account's periods must not overlap.
  Stored<void> set_period(const std::string& account, int64_t from_ns, int64_t to_ns,
                          PeriodState state);
  Stored<std::vector<PeriodEntry>> periods(const std::string& account) const;
  // How far the meters of a gateway are charged; empty: of all gateways.
  Stored<std::vector<Watermark>> watermarks(const std::string& gateway) const;
  Stored<std::vector<StoredStatement>> statements(const std::string& account) const;
  // In the order of issue.
  Stored<std::vector<StoredStatement>> statements_since(int64_t issued_ns) const;
  Stored<std::optional<StoredStatement>> statement(const std::string& issuer,
                                                   const std::string& series, int64_t number) const;
  Stored<void> put_measurements(std::span<const Measurement> measurements);
  Stored<std::vector<Measurement>> measurements(const std::string& subject, int64_t from_ns,
                                                int64_t to_ns) const;

  // --- Providers (ledger_settlement.cc) ---

  // A provider's bill, by its reference; once.
  Stored<void> put_claims(const std::string& provider, const std::string& reference,
                          std::span<const ProviderClaim> claims, int64_t received_ns);
  Stored<Settlement> settle(const std::string& provider, int64_t from_ns, int64_t to_ns,
                            const Tolerance& tolerance) const;

  // --- Payments (ledger_payments.cc) ---

  // The intent to pay, pending, before anyone is asked. Refused while another card payment of the
  // account is not final that is of the same statement, or where one of both is of none (that pays
  // whichever is the oldest); and where the key is another payment's. The same again: nothing.
  // `steps_seen`: refused when the account's payments, of any kind, have gone more steps by now.
  Stored<void> begin_payment(const Payment& payment, std::optional<int64_t> steps_seen = {});
  // What became of it, with what is posted for it, if anything: both or none. Refused when it has
  // gone another step meanwhile.
  Stored<void> step_payment(const Payment& payment, const PaymentStep& step,
                            const std::optional<Transaction>& posted);
  Stored<std::vector<Payment>> payments(const PaymentsWanted& wanted) const;
  // Payments that others made, with what became of them: all or none. In place of one of ours where
  // `instead` says so, which gets that step. Refused where one of the keys is known.
  Stored<void> record_payments(std::span<const ToldPayment> told, const Payment* instead,
                               const PaymentStep& step);

  // What is posted for it (each once, by its id), and its state, which stays when it is final.
  Stored<void> step_dispute(const Dispute& dispute, std::span<const Transaction> posted);
  // As they are now; of one payment, or of all.
  Stored<std::vector<Dispute>> disputes(const std::string& payment) const;
  // When the first payment by card was begun; nullopt: none was.
  Stored<std::optional<int64_t>> first_charge() const;
  // Until when it was looked for what became of payments by card; nullopt: never.
  Stored<std::optional<int64_t>> followed_through() const;
  Stored<void> set_followed_through(int64_t at_ns);

  // --- Credit (ledger_credit.cc) ---

  // Says what a gateway has used (`wanted.used`, since `from_ns`), and reserves for it, until
  // `wanted.until_ns`, of what nobody else has used or holds its part, as one of the gateways at
  // which the client has services; nothing when `release`. All that is used and reserved together
  // is never more than the credit, unless it was used before it was said.
  Stored<Reservation> reserve(const Drawing& wanted, int64_t now_ns, bool release = false);
  // Of the account's period that is open.
  Stored<std::vector<Drawing>> drawings(const std::string& account, int64_t now_ns) const;

  // --- Keeping (ledger_export.cc) ---

  // A copy while others go on (Store::backup).
  Stored<void> backup(const std::string& file) { return store_->backup(file); }
  // Everything posted, as a journal that hledger reads; amounts are exact.
  Stored<void> export_hledger(const std::function<void(const std::string&)>& write) const;
  // What is wrong: sums, numbers, hashes of statements. Empty: nothing.
  Stored<std::vector<std::string>> verify() const;

  Store& store() { return *store_; }

 private:
  static constexpr const char* kClientPrefix = "client:";

  Ledger(std::unique_ptr<Store> store, std::string gateway)
      : store_(std::move(store)), gateway_(std::move(gateway)) {}

  // These are for use inside of a transaction.
  Stored<void> post_new_here(const Transaction& transaction);
  Stored<void> put_tariff_here(const Tariff& tariff);
  Stored<void> put_document_here(const DocumentDraft& draft);
  Stored<void> put_accounts_here(const std::set<std::string>& accounts);
  Stored<int64_t> next_transaction_here() const;
  // Appends to `rows` what is to be inserted, or finds that it is there already.
  Stored<std::vector<Posted>> post_here(std::span<const Transaction* const> transactions);
  Stored<std::optional<std::pair<int64_t, Transaction>>> find_here(const std::string& id) const;
  Stored<std::optional<Closing>> closed_here(const ClosedPeriod& period,
                                             const std::string& digest) const;
  Stored<void> number_here(std::span<const ClosedPeriod* const> periods,
                           std::span<Closing* const> closings);
  Stored<void> charge_here(std::span<const ClosedPeriod* const> periods);
  Stored<std::vector<Drawing>> drawings_here(const std::string& account, int64_t now_ns) const;
  Stored<void> verify_balances(std::vector<std::string>& wrong) const;
  Stored<void> state_balance_here(const ClosedPeriod& period, std::span<nlohmann::json> documents);
  Stored<int64_t> provider_lines_here(const ClosedPeriod& period) const;

  std::unique_ptr<Store> store_;
  std::string gateway_;
};

}  // namespace anabranch::billing
