// SPDX-License-Identifier: BSD-3-Clause
// The gateway as a provider: offers its spare capacity to other gateways by TMF645 (what can be
// had), TMF648 (firm quotes, each with its reservation) and TMF622 (orders).
//
// Pure: what was asked and the time go in, an answer comes out, and the state is the caller's to
// store after each answer that changed it (changed()). Each buyer sees its own alone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "control/negotiation/tmf.h"

namespace anabranch::negotiation {

// What could be sold in a window if nothing were reserved, and for how much.
struct Spare {
  std::string path;
  uint64_t bandwidth_mbps = 0;
  std::optional<double> delay_ms, loss_percent;
  std::vector<Price> prices;  // without tax, at most kMoneyDecimalsMax decimals
  std::string currency;
};

struct ShopTerms {
  std::string offering = "path";
  std::string base_path = "/tmf-api";  // as in the addresses of what is made
  int64_t quote_valid_s = 900;
  // Nothing: none is for sale then.
  std::function<std::optional<Spare>(int64_t from_ns, int64_t until_ns)> spare;
};

struct Asked {
  std::string buyer;   // who it is, as authenticated
  std::string method;  // "GET"
  std::string path;    // after the base path, not decoded: "/quoteManagement/v4/quote/q1"
  std::map<std::string, std::string> query;
  std::string body;
  int64_t now_ns = 0;  // UTC
};

struct Reply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // JSON
};

// An error in TM Forum's form.
Reply error_reply(int status, const std::string& code, const std::string& reason);

// Of each buyer at once: a quote reserves capacity, and costs the buyer nothing.
inline constexpr size_t kOpenQuotesMax = 32;
// Of each buyer, with those that are over; these are forgotten a day later.
inline constexpr size_t kQuotesKeptMax = 1024;
inline constexpr int64_t kKeptAfterNs = 86'400LL * 1'000'000'000;

class Shop {
 public:
  explicit Shop(ShopTerms terms) : terms_(std::move(terms)) {}
  Reply handle(const Asked& asked);

  // Since the last time it was asked.
  bool changed() { return std::exchange(changed_, false); }
  nlohmann::json state() const;
  // The error is a sentence; the shop is as before then.
  tl::expected<void, std::string> restore(const nlohmann::json& state);

  // A reservation and its quote.
  struct Sold {
    std::string id, external_id, buyer;
    std::string state;  // "approved", "accepted", "rejected", "cancelled"
    std::string why;    // not approved
    std::string asked;  // digest of what was asked, to know a repetition
    std::string path;
    std::optional<double> delay_ms, loss_percent;
    uint64_t bandwidth_mbps = 0;
    int64_t from_ns = 0, until_ns = 0, made_ns = 0, valid_until_ns = 0;
    std::vector<Price> prices;
    std::string currency;
    std::string order;  // id of the order for it, or empty
    std::string order_external_id;
    bool order_cancelled = false;
    int64_t ordered_ns = 0;
  };
  // Quotes and, where `order` is not empty, orders, with those that are over.
  const std::vector<Sold>& sold() const { return sold_; }

 private:
  struct Wanted;
  Reply qualify(const Asked& asked);
  Reply make_quote(const Asked& asked);
  Reply change_quote(const Asked& asked, const std::string& id);
  Reply make_order(const Asked& asked);
  Reply cancel_order(const Asked& asked);
  Reply route(const Asked& asked);
  Reply list(const Asked& asked, bool orders) const;
  Reply one(const Asked& asked, bool orders, const std::string& id) const;

  void expire(int64_t now_ns);
  Wanted read_wanted(const nlohmann::json& body, const char* items, const Asked& asked) const;
  // Why it cannot be had, or an empty text.
  std::string lack(const Wanted& wanted, const std::optional<Spare>& spare, int64_t now_ns) const;
  uint64_t reserved_mbps(int64_t from_ns, int64_t until_ns, int64_t now_ns) const;
  Sold* find(const std::string& buyer, const std::string& id, std::string Sold::*which);
  std::string next_id(char kind);
  nlohmann::json quote_json(const Sold& sold) const;
  nlohmann::json order_json(const Sold& sold, int64_t now_ns) const;

  ShopTerms terms_;
  std::vector<Sold> sold_;  // in the order they were made
  uint64_t made_ = 0;
  bool changed_ = false;
};

}  // namespace anabranch::negotiation
