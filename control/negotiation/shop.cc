// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/shop.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "control/negotiation/moment.h"
#include "control/negotiation/raw_money.h"
#include "control/negotiation/shop_wanted.h"
#include "control/negotiation/tmf_fields.h"

namespace anabranch::negotiation {
namespace {

using nlohmann::json;

constexpr size_t kListMax = 100;

const char* const kQualificationsPath =
    "/serviceQualificationManagement/v4/checkServiceQualification";
const char* const kQuotesPath = "/quoteManagement/v4/quote";
const char* const kOrdersPath = "/productOrderingManagement/v4/productOrder";
const char* const kCancelsPath = "/productOrderingManagement/v4/cancelProductOrder";

// Ids of ours need no decoding: what has others is none of them.
std::optional<std::string> rest_of(const std::string& path, const std::string& collection) {
  if (path == collection || path == collection + "/") return std::string();
  if (!path.starts_with(collection + "/")) return std::nullopt;
  return path.substr(collection.size() + 1);
}

std::optional<size_t> count_of(const Asked& asked, const char* name, size_t otherwise) {
  const auto found = asked.query.find(name);
  if (found == asked.query.end()) return otherwise;
  const std::string& text = found->second;
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoul(text);
}

// What was asked for, and what the definitions require all the same.
json selected(json full, const Asked& asked) {
  const auto found = asked.query.find("fields");
  if (found == asked.query.end()) return full;
  std::set<std::string, std::less<>> wanted{"id", "href", "quoteItem", "productOrderItem"};
  std::string_view names = found->second;
  while (!names.empty()) {
    const size_t comma = std::min(names.find(','), names.size());
    wanted.emplace(names.substr(0, comma));
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  for (auto member = full.begin(); member != full.end();)
    member = wanted.contains(member.key()) ? std::next(member) : full.erase(member);
  return full;
}

bool matches(const json& full, const Asked& asked) {
  for (const char* name : {"externalId", "state"}) {
    const auto found = asked.query.find(name);
    if (found != asked.query.end() && full.value(name, "") != found->second) return false;
  }
  return true;
}

}  // namespace

Reply reply_of(int status, const json& body) {
  return {status, {{"Content-Type", "application/json;charset=utf-8"}}, write_body(body)};
}

Reply error_reply(int status, const std::string& code, const std::string& reason) {
  return reply_of(status, {{"code", code}, {"reason", reason}, {"status", std::to_string(status)}});
}

bool is_reserved(const Shop::Sold& sold, int64_t now_ns) {
  if (!sold.order.empty()) return !sold.order_cancelled && sold.until_ns > now_ns;
  return (sold.state == "approved" || sold.state == "accepted") && sold.valid_until_ns > now_ns;
}

Reply Shop::handle(const Asked& asked) {
  expire(asked.now_ns);
  try {
    return route(asked);
  } catch (const Refused& refused) {
    return error_reply(400, "invalidBody", to_text(refused.refusal));
  }
}

Reply Shop::route(const Asked& asked) {
  const auto no_method = [&] {
    return error_reply(405, "methodNotAllowed", "no " + asked.method + " here");
  };
  if (const auto id = rest_of(asked.path, kQualificationsPath)) {
    if (!id->empty())
      return error_reply(404, "notFound", "answers are given at once, and not kept");
    return asked.method == "POST" ? qualify(asked) : no_method();
  }
  if (const auto id = rest_of(asked.path, kQuotesPath)) {
    if (asked.method == "GET") return id->empty() ? list(asked, false) : one(asked, false, *id);
    if (asked.method == "POST" && id->empty()) return make_quote(asked);
    if (asked.method == "PATCH" && !id->empty()) return change_quote(asked, *id);
    return no_method();
  }
  if (const auto id = rest_of(asked.path, kOrdersPath)) {
    if (asked.method == "GET") return id->empty() ? list(asked, true) : one(asked, true, *id);
    return asked.method == "POST" && id->empty() ? make_order(asked) : no_method();
  }
  if (asked.path == kCancelsPath) return asked.method == "POST" ? cancel_order(asked) : no_method();
  return error_reply(404, "notFound", "there is no " + asked.path);
}

Reply Shop::list(const Asked& asked, bool orders) const {
  const auto offset = count_of(asked, "offset", 0), limit = count_of(asked, "limit", kListMax);
  if (!offset || !limit)
    return error_reply(400, "invalidQuery", "offset and limit are numbers of 0 or more");
  json page = json::array();
  size_t total = 0;
  for (const Sold& sold : sold_) {
    if (sold.buyer != asked.buyer || (orders && sold.order.empty())) continue;
    json full = orders ? order_json(sold, asked.now_ns) : quote_json(sold);
    if (!matches(full, asked)) continue;
    if (total++ >= *offset && page.size() < std::min(*limit, kListMax))
      page.push_back(selected(std::move(full), asked));
  }
  Reply reply = reply_of(200, page);
  reply.headers.emplace_back("X-Total-Count", std::to_string(total));
  reply.headers.emplace_back("X-Result-Count", std::to_string(page.size()));
  return reply;
}

Reply Shop::one(const Asked& asked, bool orders, const std::string& id) const {
  for (const Sold& sold : sold_) {
    if (sold.buyer != asked.buyer || (orders ? sold.order : sold.id) != id) continue;
    return reply_of(200,
                    selected(orders ? order_json(sold, asked.now_ns) : quote_json(sold), asked));
  }
  return error_reply(404, "notFound", "you have none with this id");
}

Shop::Sold* Shop::find(const std::string& buyer, const std::string& id, std::string Sold::*which) {
  if (id.empty()) return nullptr;
  const auto found = std::find_if(sold_.begin(), sold_.end(), [&](const Sold& s) {
    return s.buyer == buyer && s.*which == id;
  });
  return found == sold_.end() ? nullptr : &*found;
}

std::string Shop::next_id(char kind) {
  return fmt::format("{}{}", kind, ++made_);
}

void Shop::expire(int64_t now_ns) {
  for (Sold& sold : sold_) {
    if (!sold.order.empty() || sold.valid_until_ns > now_ns) continue;
    if (sold.state != "approved" && sold.state != "accepted") continue;
    sold.state = "cancelled";
    sold.why = "not ordered while it was valid";
    changed_ = true;
  }
  const size_t forgotten = std::erase_if(sold_, [&](const Sold& sold) {
    const int64_t over_ns = sold.order.empty() ? sold.valid_until_ns : sold.until_ns;
    return !is_reserved(sold, now_ns) && over_ns + kKeptAfterNs <= now_ns;
  });
  changed_ = changed_ || forgotten > 0;
}

// The most that is taken at any moment of the window: it changes only where a reservation begins.
uint64_t Shop::reserved_mbps(int64_t from_ns, int64_t until_ns, int64_t now_ns) const {
  const auto at = [&](int64_t moment_ns) {
    uint64_t sum = 0;
    for (const Sold& s : sold_) {
      if (is_reserved(s, now_ns) && s.from_ns <= moment_ns && moment_ns < s.until_ns)
        sum += s.bandwidth_mbps;
    }
    return sum;
  };
  uint64_t most = at(from_ns);
  for (const Sold& s : sold_) {
    if (s.from_ns > from_ns && s.from_ns < until_ns) most = std::max(most, at(s.from_ns));
  }
  return most;
}

}  // namespace anabranch::negotiation
