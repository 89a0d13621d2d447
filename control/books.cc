// SPDX-License-Identifier: BSD-3-Clause
#include "control/books.h"

#include <spdlog/spdlog.h>

#include <chrono>

namespace anabranch::control {
namespace {

int64_t wall_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

billing::JournalRetention retention(const Config& config) {
  constexpr int64_t kDayNs = 86'400'000'000'000;
  return {.keep_ns = config.journal_keep_days * kDayNs,
          .keep_octets = uint64_t{config.journal_keep_mb} << 20,
          .compact_after_ns = config.journal_compact_after_days * kDayNs};
}

tl::expected<std::string, std::string> render(
    const tl::expected<billing::Statement, std::string>& statement, bool as_text) {
  if (!statement) return tl::unexpected(statement.error());
  return as_text ? billing::to_text(*statement) : billing::to_json(*statement).dump(2) + "\n";
}

}  // namespace

Books::Books(std::unique_ptr<billing::Billing> billing)
    : billing_(std::move(billing)), thread_([this] { loop_.run(); }) {}

Books::~Books() {
  loop_.stop();
  thread_.join();
}

tl::expected<std::unique_ptr<Books>, std::string> Books::open(const Config& config,
                                                              const billing::Tariff& house) {
  auto billing =
      billing::Billing::open({.state_dir = config.state_dir,
                              .ledger = config.ledger,
                              .gateway = config.name,
                              .journal_segment_octets = config.journal_segment_mb << 20,
                              .journal_direct = config.journal_direct,
                              .retention = retention(config),
                              .notice = [](const std::string& what) { spdlog::warn("{}", what); }},
                             house);
  if (!billing) return tl::unexpected(billing.error());
  return std::unique_ptr<Books>(new Books(std::move(*billing)));
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

tl::expected<std::vector<billing::ServiceEntry>, std::string> Books::services() {
  return loop_.call([&] { return billing_->ledger().services(); }).get();
}

Books::Status Books::put_document(const std::string& kind, const std::string& id,
                                  const std::string& text) {
  return loop_.call([&] { return billing_->ledger().put_document(kind, id, text, wall_now_ns()); })
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

std::future<tl::expected<std::string, std::string>> Books::client_statement(
    const std::string& client, bool as_text) {
  return loop_.call([this, client, as_text] {
    return render(
        billing::make_statement(billing_->ledger(), billing::Ledger::client_account(client)),
        as_text);
  });
}

std::future<tl::expected<std::string, std::string>> Books::house_statement(bool as_text) {
  return loop_.call([this, as_text] {
    return render(billing::make_statement(billing_->ledger(), billing_->ledger().house_account()),
                  as_text);
  });
}

}  // namespace anabranch::control
