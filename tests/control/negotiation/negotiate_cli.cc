// SPDX-License-Identifier: BSD-3-Clause
// Negotiates as its standard input (JSON) says, and prints what came of it, for tests: see
// providers_test.py.
#include <iostream>
#include <thread>

#include "control/negotiation/moment.h"
#include "control/negotiation/negotiation.h"

namespace {

using namespace anabranch::negotiation;
using nlohmann::json;

Clocks real_clocks() {
  return {[] { return Steady::now(); },
          [] {
            return std::chrono::duration_cast<std::chrono::nanoseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                .count();
          }};
}

Wish read_wish(const json& w, int64_t now_ns) {
  Wish wish{.id = w.at("id"), .buyer = "buyer-1", .offering = "path"};
  wish.bandwidth_mbps = w.value("bandwidth_mbps", 100);
  wish.from_ns = now_ns;
  wish.until_ns = now_ns + 86400 * kSecondNs;
  wish.currency = "EUR";
  wish.volume_gb = 1000;
  wish.months = 1;
  wish.valid_s_min = w.value("valid_s_min", 10);
  if (w.contains("budget"))
    wish.budget = anabranch::billing::parse_amount(w.at("budget").get<std::string>());
  return wish;
}

std::vector<Seller> read_sellers(const json& list) {
  std::vector<Seller> sellers;
  for (const json& s : list) {
    Seller seller;
    seller.provider = s.at("provider");
    seller.approved = s.value("approved", true);
    seller.endpoint.base_url = s.at("url");
    seller.endpoint.bearer_token = s.value("token", "");
    seller.endpoint.plain_allowed = s.value("plain", false);
    seller.endpoint.ca_file = s.value("ca", "");
    seller.endpoint.certificate_file = s.value("certificate", "");
    seller.endpoint.key_file = s.value("key", "");
    seller.has_availability = s.value("availability", true);
    sellers.push_back(std::move(seller));
  }
  return sellers;
}

json open_json(const std::vector<Open>& list) {
  json all = json::array();
  for (const Open& o : list)
    all.push_back({{"provider", o.provider},
                   {"kind", o.kind == Open::Kind::quote ? "quote" : "order"},
                   {"id", o.id},
                   {"external_id", o.external_id},
                   {"valid_until_ns", o.valid_until_ns},
                   {"why", o.why}});
  return all;
}

json outcome_json(const Outcome& outcome) {
  json told = json::array();
  for (const Told& t : outcome.told) {
    json each{{"provider", t.provider}, {"won", t.won}, {"what", t.what}};
    if (t.available) each["bandwidth_mbps"] = t.available->bandwidth_mbps;
    if (t.quote) each["total"] = anabranch::billing::to_text(t.quote->total);
    told.push_back(std::move(each));
  }
  json all{{"told", std::move(told)}, {"open", open_json(outcome.open)}};
  if (outcome.held)
    all["held"] = {{"provider", outcome.held->quote.provider},
                   {"order", outcome.held->order},
                   {"total", anabranch::billing::to_text(outcome.held->quote.total)}};
  return all;
}

json record_json(const Record& r) {
  return {{"ended_ns", r.ended_ns},
          {"provider", r.provider},
          {"method", r.method},
          {"path", r.path},
          {"status", r.status},
          {"failure", r.failure},
          {"request_sha256", r.request_sha256},
          {"answer_sha256", r.answer_sha256}};
}

}  // namespace

int main() {
  const json asked = json::parse(std::cin);
  const auto sellers = read_sellers(asked.at("sellers"));
  Ranking ranking;
  const json ranks = asked.value("ranking", json::object());
  for (const auto& [provider, r] : ranks.items())
    ranking[provider] = {r.value("place", UINT32_MAX), r.value("rating", 0.0)};
  const auto clocks = real_clocks();
  const auto began = Steady::now();
  const auto ms = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - began).count();
  };
  json records = json::array();
  std::atomic<bool> cancelled{false};
  Context context{.clocks = clocks};
  context.deadlines = deadlines(began, std::chrono::milliseconds(asked.value("takes_ms", 3000)));
  context.cancelled = &cancelled;
  context.record = [&](const Record& r) { records.push_back(record_json(r)); };
  const json objections = asked.value("objections", json::object());
  context.objection = [&](const Quote& q) { return objections.value(q.provider, ""); };
  int64_t decided_ms = 0;
  context.decided = [&](const Outcome&) { decided_ms = ms(); };
  std::thread canceller([&] {
    const int64_t after = asked.value("cancel_after_ms", int64_t{0});
    if (after == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(after));  // what it tests is the time
    cancelled.store(true, std::memory_order_relaxed);
  });
  const Wish wish = read_wish(asked.at("wish"), clocks.wall_ns());
  const Outcome outcome = negotiate(wish, sellers, ranking, context);
  json all = outcome_json(outcome);
  canceller.join();
  all["decided_ms"] = decided_ms;
  all["ended_ms"] = ms();
  if (asked.contains("again_ms")) {
    Desk desk(clocks, nullptr, context.record);
    const auto until = Steady::now() + std::chrono::milliseconds(asked["again_ms"].get<int>());
    all["open_after"] = open_json(release(outcome.open, sellers, desk, until));
  }
  all["records"] = std::move(records);
  std::cout << all.dump() << "\n";
}
