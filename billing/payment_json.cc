// SPDX-License-Identifier: BSD-3-Clause
#include "billing/payment_json.h"

#include <fmt/format.h>

namespace anabranch::billing {
namespace {

using nlohmann::json;

std::string utc(int64_t at_ns) {
  return Zone::utc().text(at_ns);
}

const char* state_of(const Payment& p) {
  return kPaymentStateNames[static_cast<size_t>(p.now.state)];
}

}  // namespace

json to_json(const Payment& p) {
  json out{{"key", p.key},
           {"kind", kPaymentKindNames[static_cast<size_t>(p.kind)]},
           {"account", p.account},
           {"issuer", p.issuer},
           {"statement", p.statement},
           {"currency", p.currency},
           {"amount", to_text(p.amount)},
           {"made", utc(p.made_ns)},
           {"state", state_of(p)},
           {"at", utc(p.now.at_ns)}};
  if (!p.of.empty()) out["of"] = p.of;
  if (!p.now.processor_id.empty()) out["processor_id"] = p.now.processor_id;
  if (!p.now.detail.empty()) out["detail"] = p.now.detail;
  if (p.is_disputed) out["disputed"] = true;
  if (p.lost != Amount()) out["lost"] = to_text(p.lost);
  if (!is_final(p.now.state)) out["asked_again_at"] = utc(p.now.next_ns);
  return out;
}

json to_json(const PayingReport& report) {
  json moved = json::array(), overdue = json::array();
  for (const Payment& p : report.moved) moved.push_back(to_json(p));
  for (const Standing& s : report.overdue) {
    overdue.push_back({{"account", s.account},
                       {"statement", s.statement},
                       {"since", utc(s.overdue_ns)},
                       {"then", kWhenOverdueNames[static_cast<size_t>(s.then)]}});
  }
  return {{"moved", moved},
          {"notes", report.notes},
          {"overdue", overdue},
          {"problems", report.problems},
          {"next", report.next_ns ? json(utc(*report.next_ns)) : json()}};
}

std::string name_of(const Payment& p) {
  return fmt::format("payment {} {} for {}", p.key,
                     p.statement.empty() ? "on account" : "of statement " + p.statement, p.account);
}

std::string in_words(const Payment& p) {
  return fmt::format("{}: {}{}{}", name_of(p), state_of(p), p.now.detail.empty() ? "" : ", ",
                     p.now.detail);
}

std::vector<std::string> in_words(const PayingReport& report) {
  std::vector<std::string> all;
  for (const Payment& p : report.moved) all.push_back(in_words(p));
  all.insert(all.end(), report.notes.begin(), report.notes.end());
  return all;
}

}  // namespace anabranch::billing
