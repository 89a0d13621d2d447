// SPDX-License-Identifier: BSD-3-Clause
#include "control/books.h"

#include <spdlog/spdlog.h>

#include <chrono>

#include "billing/statement_format.h"
#include "billing/wall_clock.h"

namespace anabranch::control {
namespace {

using billing::wall_now_ns;

constexpr auto kReplace = nlohmann::json::error_handler_t::replace;

billing::JournalRetention retention(const Config& config) {
  constexpr int64_t kDayNs = 86'400'000'000'000;
  return {.keep_ns = config.journal_keep_days * kDayNs,
          .keep_octets = uint64_t{config.journal_keep_mb} << 20,
          .compact_after_ns = config.journal_compact_after_days * kDayNs};
}

}  // namespace

Books::Books(billing::BillingOptions options, std::unique_ptr<billing::Billing> billing)
    : options_(std::move(options)),
      billing_(std::move(billing)),
      desk_(billing::Billing::where(options_), options_.notice),
      thread_([this] { loop_.run(); }) {}

Books::~Books() {
  loop_.stop();
  thread_.join();
}

tl::expected<std::unique_ptr<Books>, std::string> Books::open(const Config& config) {
  billing::BillingOptions options{
      .state_dir = config.state_dir,
      .ledger = config.ledger,
      .gateway = config.name,
      .journal_segment_octets = config.journal_segment_mb << 20,
      .journal_direct = config.journal_direct,
      .retention = retention(config),
      .close_periods = config.close_periods,
      .statements = config.statements_dir,
      .mail = config.mail,
      .notice = [](const std::string& what) { spdlog::warn("{}", what); }};
  auto billing = billing::Billing::open(options);
  if (!billing) return tl::unexpected(billing.error());
  return std::unique_ptr<Books>(new Books(std::move(options), std::move(*billing)));
}

tl::expected<uint16_t, std::string> Books::path_id(const std::string& name,
                                                   const std::string& provider,
                                                   const std::string& network) {
  return loop_.call([&] { return billing_->ledger().path_id(name, provider, network); }).get();
}

tl::expected<uint64_t, std::string> Books::open_service(const std::string& client,
                                                        const billing::Tariff& tariff,
                                                        const std::string& request) {
  return loop_
      .call([&] { return billing_->ledger().open_service(client, tariff, request, wall_now_ns()); })
      .get();
}

Books::Status Books::close_service(uint64_t id) {
  return loop_.call([&] { return billing_->ledger().close_service(id, wall_now_ns()); }).get();
}

Books::Status Books::change_request(uint64_t id, const std::string& request) {
  return loop_.call([&] { return billing_->ledger().change_request(id, request); }).get();
}

tl::expected<std::vector<billing::ServiceEntry>, std::string> Books::services() {
  return loop_.call([&] { return billing_->ledger().services(); }).get();
}

Books::Status Books::put_document(const std::string& kind, const std::string& id,
                                  const std::string& text) {
  return loop_.call([&] { return billing_->ledger().put_document(kind, id, text, wall_now_ns()); })
      .get();
}

Books::Status Books::put_documents(std::vector<billing::DocumentDraft> documents) {
  return loop_
      .call([&] {
        for (billing::DocumentDraft& d : documents) d.valid_from_ns = wall_now_ns();
        return billing_->ledger().put_documents(documents);
      })
      .get();
}

tl::expected<std::vector<std::pair<std::string, std::string>>, std::string> Books::documents(
    const std::string& kind) {
  return loop_.call([&] { return billing_->ledger().documents(kind); }).get();
}

void Books::flush(std::vector<billing::Reading> readings, std::function<void(Status)> done) {
  loop_.post([this, readings = std::move(readings), done = std::move(done)] {
    auto status = billing_->flush(readings, wall_now_ns());
    went_backwards_.store(billing_->went_backwards(), std::memory_order_relaxed);
    done(std::move(status));
  });
}

void Books::put_measurements(std::vector<billing::Measurement> minutes) {
  loop_.post([this, minutes = std::move(minutes)] {
    if (const auto stored = billing_->ledger().put_measurements(minutes); !stored)
      spdlog::warn("{} minutes of services are not on record: {}", minutes.size(),
                   stored.error().text);
  });
}

Books::Text Books::open_statements(const std::string& account, bool as_text) const {
  const auto open = billing::Billing::open_statements(options_, account, wall_now_ns());
  if (!open) return tl::unexpected(open.error());
  if (!as_text) return nlohmann::json(*open).dump(2, ' ', false, kReplace) + "\n";
  std::string text;
  for (const nlohmann::json& statement : *open) {
    const auto one = billing::render(statement, billing::Format::text);
    if (!one) return one;
    text += *one;
  }
  return text;
}

tl::expected<std::vector<billing::StoredStatement>, std::string> Books::issued_statements(
    const std::string& account) const {
  return billing::Billing::issued_statements(options_, account);
}

tl::expected<Books::Overdue, std::string> Books::overdue() const {
  return billing::Billing::overdue(options_, wall_now_ns());
}

tl::expected<billing::CreditReport, std::string> Books::look_at_credit(
    const std::map<std::string, billing::CreditAsked>& asked) const {
  return billing::Billing::look_at_credit(options_, asked, wall_now_ns());
}

tl::expected<std::map<std::string, billing::TariffUse>, std::string> Books::tariff_uses(
    const std::set<std::string>& clients) const {
  std::set<std::string> accounts;
  for (const std::string& client : clients) accounts.insert(client_account(client));
  auto by_account = billing::Billing::tariff_uses(options_, accounts, wall_now_ns());
  if (!by_account) return by_account;
  std::map<std::string, billing::TariffUse> by_client;
  for (auto& [account, use] : *by_account)
    by_client.emplace(billing::Ledger::client_of(account), std::move(use));
  return by_client;
}

tl::expected<std::vector<billing::Balance>, std::string> Books::balances(
    const std::string& account) const {
  return billing::Billing::balances(options_, account, wall_now_ns());
}

}  // namespace anabranch::control
