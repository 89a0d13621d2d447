// SPDX-License-Identifier: BSD-3-Clause
// Billing on a thread of its own: a slow disk must not hold up the control thread.
//
// Functions that return a value wait for that thread; they are rare (a service begins or ends, a
// document is stored). Those with a callback do not wait; the callback runs on the billing thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "billing/billing.h"
#include "billing/payment_desk.h"
#include "control/config.h"
#include "control/loop.h"
#include "control/usage.h"

namespace anabranch::control {

class Books {
 public:
  using Status = tl::expected<void, std::string>;

  static tl::expected<std::unique_ptr<Books>, std::string> open(const Config& config);
  ~Books();

  tl::expected<uint16_t, std::string> path_id(const std::string& name, const std::string& provider,
                                              const std::string& network);
  tl::expected<uint64_t, std::string> open_service(const std::string& client,
                                                   const billing::Tariff& tariff,
                                                   const std::string& request);
  Status close_service(uint64_t id);
  Status change_request(uint64_t id, const std::string& request);
  tl::expected<std::vector<billing::ServiceEntry>, std::string> services();
  Status put_document(const std::string& kind, const std::string& id, const std::string& text);
  // All are in force from now on.
  Status put_documents(std::vector<billing::DocumentDraft> documents);
  tl::expected<std::vector<std::pair<std::string, std::string>>, std::string> documents(
      const std::string& kind);

  // To the journal. On failure nothing is lost: the next one covers the same usage.
  void flush(std::vector<billing::Reading> readings, std::function<void(Status)> done);

  // Readings that were left out because they were lower than earlier ones.
  uint64_t meters_went_backwards() const { return went_backwards_.load(std::memory_order_relaxed); }

  // Work that may wait for a disk, on the billing thread.
  void post(std::function<void()> work) { loop_.post(std::move(work)); }

  // Minutes of services, for what agreements promise.
  void put_measurements(std::vector<billing::Measurement> minutes);

  // What is not on a statement yet of a client, or of the house, as text or a JSON list of what
  // would be statements. For any thread, on which it reads the journal.
  using Text = tl::expected<std::string, std::string>;
  Text open_statements(const std::string& account, bool as_text) const;
  // Those that are issued. For any thread.
  tl::expected<std::vector<billing::StoredStatement>, std::string> issued_statements(
      const std::string& account) const;
  // Clients of which a statement is overdue, by account. For any thread.
  using Overdue = std::map<std::string, billing::Standing>;
  tl::expected<Overdue, std::string> overdue() const;
  // For any thread.
  billing::PaymentDesk& desk() { return desk_; }
  // A connection of its own, for whoever may wait for a disk.
  tl::expected<billing::Ledger, std::string> connect() const {
    return billing::Ledger::open_existing(billing::Billing::where(options_));
  }
  // Reserves what may be used of what was paid ahead (billing/credit.h). For any thread.
  tl::expected<billing::CreditReport, std::string> look_at_credit(
      const std::map<std::string, billing::CreditAsked>& asked) const;
  // How far clients are into their tariffs, by client. For any thread.
  tl::expected<std::map<std::string, billing::TariffUse>, std::string> tariff_uses(
      const std::set<std::string>& clients) const;
  // How a client stands. For any thread.
  tl::expected<std::vector<billing::Balance>, std::string> balances(
      const std::string& account) const;
  std::string client_account(const std::string& client) const {
    return billing::Ledger::client_account(client);
  }
  std::string house_account() const { return "house:" + options_.gateway; }

 private:
  Books(billing::BillingOptions options, std::unique_ptr<billing::Billing> billing);
  const billing::BillingOptions options_;
  std::unique_ptr<billing::Billing> billing_;
  std::atomic<uint64_t> went_backwards_{0};
  billing::PaymentDesk desk_;
  Loop loop_;
  std::thread thread_;
};

}  // namespace anabranch::control
