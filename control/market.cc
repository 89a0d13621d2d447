// SPDX-License-Identifier: BSD-3-Clause
#include "control/market.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "billing/wall_clock.h"
#include "control/negotiation/moment.h"

namespace anabranch::control {
namespace {

using billing::wall_now_ns;
using negotiation::kSecondNs;
using negotiation::Open;
using nlohmann::json;

constexpr const char* kNegotiations = "negotiations";
constexpr const char* kOrders = "orders";
constexpr const char* kOpen = "open";
constexpr auto kTakes = std::chrono::seconds(3);     // until an order is in hand
constexpr auto kReleases = std::chrono::seconds(5);  // one attempt to let go of what is open
constexpr auto kLook = std::chrono::milliseconds(50);
constexpr int64_t kReleaseEveryNs = 20 * kSecondNs;
constexpr int64_t kUnneededAfterNs = 30 * kSecondNs;
constexpr int64_t kRenewAgainNs = 10 * kSecondNs;

negotiation::Clocks real_clocks() {
  return {[] { return negotiation::Steady::now(); }, [] { return wall_now_ns(); }};
}

bool overlaps(const negotiation::Wish& wish, int64_t from_ns, int64_t until_ns) {
  return wish.from_ns < until_ns && from_ns < wish.until_ns;
}

billing::DocumentDraft draft_of(const Order& order, const char* state) {
  json kept = to_json(order);
  kept["state"] = state;
  return {kOrders, order.wish.id, kept.dump()};
}

Open open_of(const Order& order) {
  return {.provider = order.provider,
          .kind = Open::Kind::order,
          .id = order.id,
          .external_id = negotiation::external_id(order.wish, order.provider)};
}

// Of a negotiation that was cut short: whatever each that was asked may have made.
void add_open_of(const json& begun, std::vector<Open>& open) {
  for (const json& one : begun.value("may_be_open", json::array())) {
    for (const Open::Kind kind : {Open::Kind::quote, Open::Kind::order}) {
      Open each{.provider = one.at("provider"), .kind = kind};
      each.external_id = one.at("external_id");
      open.push_back(std::move(each));
    }
  }
}

billing::DocumentDraft open_draft(const std::vector<Open>& open) {
  json all = json::array();
  for (const Open& each : open) all.push_back(to_json(each));
  return {kOpen, kOpen, json{{"open", all}}.dump()};
}

std::string reasons(const negotiation::Outcome& outcome) {
  std::string text;
  for (const negotiation::Told& told : outcome.told) text += (text.empty() ? "" : "; ") + told.what;
  return text.empty() ? "nobody could be asked" : text;
}

}  // namespace

// What is quoted, as it is kept once it is ordered.
Order Market::order_of(const Need& need, const negotiation::Quote& quote) {
  return {.provider = quote.provider,
          .client = need.client,
          .wish = need.wish,
          .prices = quote.prices,
          .total = quote.total,
          .made_ns = wall_now_ns()};
}

int64_t Market::Held::renew_ns(std::chrono::nanoseconds takes) const {
  return std::max(renew_again_ns,
                  negotiation::renewal_ns(order.wish.from_ns, order.wish.until_ns, takes.count()));
}

struct Market::Job {
  Need need;
  std::vector<Sells> sells;
  Done done;
  json record;  // as it is stored
  std::vector<negotiation::Seller> sellers;
  std::optional<Order> unkept;  // taken, but not stored: it is let go again
};

Market::Market(Loop& control, const Config& config, DocumentStore& documents, Books& books)
    : control_(control), config_(config), documents_(documents), books_(books), thread_([this] {
        desk_.run();
      }) {}

Market::~Market() {
  cancelled_.store(true, std::memory_order_relaxed);
  desk_.stop();
  thread_.join();
}

tl::expected<void, std::string> Market::reopen() {
  const auto orders = books_.documents(kOrders);
  const auto begun = orders ? books_.documents(kNegotiations) : orders;
  const auto open = begun ? books_.documents(kOpen) : begun;
  if (!open) return tl::unexpected(open.error());
  const int64_t now_ns = wall_now_ns();
  try {
    for (const auto& [id, text] : *orders) {
      const json kept = json::parse(text);
      if (kept.at("state") != "held") continue;
      const auto order = order_from_json(kept);
      if (!order) return tl::unexpected("order " + id + ": " + order.error());
      if (order->wish.until_ns > now_ns) hold(*order);
    }
    for (const auto& [id, text] : *begun) {
      const json kept = json::parse(text);
      const bool has_order = std::any_of(orders_.begin(), orders_.end(), [&](const Held& held) {
        return held.order.wish.id == id;
      });
      if (kept.at("state") == "begun" && !has_order) add_open_of(kept, open_);
    }
    for (const auto& [id, text] : *open) {
      for (const json& one : json::parse(text).at("open")) {
        if (const auto each = open_from_json(one)) open_.push_back(*each);
      }
    }
  } catch (const json::exception& error) {
    return tl::unexpected(std::string("what is kept of negotiations is not understood: ") +
                          error.what());
  }
  return {};
}

std::string Market::next_id() {
  last_id_ns_ = std::max(last_id_ns_ + 1, wall_now_ns());
  return config_.name + "-" + std::to_string(last_id_ns_);
}

bool Market::is_sold(const std::string& provider) const {
  return std::any_of(config_.uplinks.begin(), config_.uplinks.end(),
                     [&](const UplinkConfig& u) { return u.on_order && u.provider == provider; });
}

std::vector<Sells> Market::sellers(const std::vector<std::string>& approved, int64_t from_ns,
                                   int64_t until_ns) const {
  std::vector<Sells> result;
  for (const std::string& provider : approved) {
    const Sells* sells = documents_.sells(provider);
    const bool has_order = std::any_of(orders_.begin(), orders_.end(), [&](const Held& held) {
      return held.order.provider == provider && overlaps(held.order.wish, from_ns, until_ns);
    });
    if (sells == nullptr || has_order || !is_sold(provider) ||
        documents_.is_of_file("tariffs", sells->tariff))
      continue;
    result.push_back(*sells);
    result.back().seller.approved = true;
  }
  return result;
}

std::vector<Sells> Market::all_sellers() const {
  std::vector<Sells> all;
  for (const UplinkConfig& uplink : config_.uplinks) {
    const Sells* sells = documents_.sells(uplink.provider);
    if (uplink.on_order && sells != nullptr) all.push_back(*sells);
  }
  return all;
}

bool Market::can_ask(const std::vector<std::string>& approved, int64_t from_ns,
                     int64_t until_ns) const {
  return !sellers(approved, from_ns, until_ns).empty();
}

void Market::negotiate(Need need, Done done) {
  Job job{.need = std::move(need), .done = std::move(done)};
  job.need.wish.id = next_id();
  job.need.wish.buyer = config_.name;
  desk_.post([this, job = std::move(job)]() mutable {
    // Who can be asked is known only now: one before it may have ordered already.
    auto sells = control_.call([this, need = job.need] {
      return sellers(need.approved, need.wish.from_ns, need.wish.until_ns);
    });
    if (!is_answered(sells)) return;
    job.sells = sells.get();
    run(job);
  });
}

// At the gateway's end nobody answers any more.
template <typename T>
bool Market::is_answered(const std::future<T>& asked) const {
  while (asked.wait_for(kLook) != std::future_status::ready) {
    if (cancelled_.load(std::memory_order_relaxed)) return false;
  }
  return true;
}

// All of a job is done on the desk's thread.
void Market::run(Job& job) {
  begin(job);
  if (const auto stored = store(job); !stored) {
    return fail(job, "negotiations cannot be put on record: " + stored.error());
  }
  negotiation::Context context{.clocks = real_clocks()};
  context.deadlines = negotiation::deadlines(negotiation::Steady::now(), kTakes);
  context.cancelled = &cancelled_;
  context.record = [&](const negotiation::Record& r) {
    job.record["exchanges"].push_back(to_json(r));
  };
  context.objection = [&](const negotiation::Quote& quote) { return objection_to(job, quote); };
  context.decided = [&](const negotiation::Outcome& outcome) { decided(job, outcome); };
  finish(job, negotiation::negotiate(job.need.wish, job.sellers, job.need.ranking, context));
}

void Market::begin(Job& job) {
  const negotiation::Wish& wish = job.need.wish;
  job.record = {{"id", wish.id},
                {"client", job.need.client},
                {"state", "begun"},
                {"began", negotiation::moment_text(wall_now_ns())},
                {"may_be_open", json::array()},
                {"exchanges", json::array()}};
  for (const Sells& sells : job.sells) {
    auto seller = seller_of(sells);
    if (!seller) {
      spdlog::warn("{} is not asked: {}", sells.seller.provider, seller.error());
      continue;
    }
    job.sellers.push_back(std::move(*seller));
    job.record["may_be_open"].push_back(
        {{"provider", sells.seller.provider},
         {"external_id", negotiation::external_id(wish, sells.seller.provider)}});
  }
}

Books::Status Market::store(const Job& job) {
  return books_.put_document(kNegotiations, job.need.wish.id, job.record.dump());
}

void Market::fail(const Job& job, std::string why) {
  control_.post([done = job.done, why = std::move(why)] { done(tl::unexpected(why)); });
}

std::string Market::objection_to(const Job& job, const negotiation::Quote& quote) {
  if (!job.need.objection) return {};
  auto said = control_.call(
      [this, objection = job.need.objection, order = order_of(job.need, quote)]() mutable {
        hold(std::move(order));
        std::string why = objection();
        orders_.pop_back();
        return why;
      });
  return is_answered(said) ? said.get() : "the gateway ends";
}

// Before the others are let go: a client waits.
void Market::decided(Job& job, const negotiation::Outcome& outcome) {
  if (!outcome.held) return fail(job, reasons(outcome));
  Order order = order_of(job.need, outcome.held->quote);
  order.id = outcome.held->order;
  if (const auto kept = books_.put_documents({draft_of(order, "held")}); !kept) {
    job.unkept = std::move(order);
    return fail(job, "the order cannot be put on record: " + kept.error());
  }
  control_.post([this, order = std::move(order), done = job.done] { took(order, done); });
}

void Market::finish(Job& job, const negotiation::Outcome& outcome) {
  job.record["state"] = outcome.held ? "ordered" : "failed";
  job.record.erase("may_be_open");
  job.record["told"] = json::array();
  for (const negotiation::Told& told : outcome.told) {
    json each{{"provider", told.provider}, {"won", told.won}, {"what", told.what}};
    if (told.quote) each["total"] = billing::to_text(told.quote->total);
    job.record["told"].push_back(std::move(each));
  }
  std::vector<Open> open = outcome.open;
  if (job.unkept) open.push_back(open_of(*job.unkept));
  if (const auto stored = store(job); !stored)
    spdlog::error("negotiation {} is not on record: {}", job.need.wish.id, stored.error());
  control_.post([this, open = std::move(open)] { release(open); });
}

void Market::took(Order order, const Done& done) {
  spdlog::info("{} takes order {}: {} Mbit/s until {}", order.provider, order.id,
               order.wish.bandwidth_mbps, negotiation::moment_text(order.wish.until_ns));
  hold(std::move(order));
  Held& held = orders_.back();
  const std::string provider = held.order.provider;
  if (held.order.is_at(wall_now_ns())) price(held);
  done(provider);
}

void Market::hold(Order order) {
  Held held{.order = std::move(order), .needed_ns = wall_now_ns()};
  const Sells* sells = documents_.sells(held.order.provider);
  const json tariff = tariff_of(held.order, sells == nullptr ? "ordered" : sells->tariff);
  if (auto parsed = billing::parse_tariff(tariff)) held.tariff = std::move(*parsed);
  orders_.push_back(std::move(held));
}

const Market::Held* Market::held_at(const std::string& provider, int64_t wall_ns) const {
  const auto found = std::find_if(orders_.begin(), orders_.end(), [&](const Held& held) {
    return held.order.provider == provider && held.order.is_at(wall_ns);
  });
  return found == orders_.end() ? nullptr : &*found;
}

const Order* Market::order_at(const std::string& provider, int64_t wall_ns) const {
  const Held* held = held_at(provider, wall_ns);
  return held == nullptr ? nullptr : &held->order;
}

const billing::Tariff* Market::tariff_at(const std::string& provider, int64_t wall_ns) const {
  const Held* held = held_at(provider, wall_ns);
  return held == nullptr ? nullptr : &held->tariff;
}

// What we owe from now on, and what is passed on to clients.
void Market::price(Held& held) {
  const Sells* sells = documents_.sells(held.order.provider);
  if (sells == nullptr) return;
  const json tariff = tariff_of(held.order, sells->tariff);
  const bool is_stored = documents_.get("tariffs", sells->tariff).body == tariff;
  const Answer put =
      is_stored ? Answer{} : documents_.put(books_, "tariffs", sells->tariff, tariff);
  held.is_priced = put.status == 200;
  if (!held.is_priced)
    spdlog::error("order {} of {} has no price here yet: {}", held.order.id, held.order.provider,
                  put.body.value("detail", ""));
}

void Market::cancel(const std::string& provider, const std::string& why) {
  std::vector<billing::DocumentDraft> drafts;
  std::vector<Open> open;
  for (const Held& held : orders_) {
    if (held.order.provider != provider) continue;
    spdlog::info("order {} of {} is cancelled: {}", held.order.id, provider, why);
    drafts.push_back(draft_of(held.order, "cancelled"));
    open.push_back(open_of(held.order));
  }
  if (drafts.empty()) return;
  std::erase_if(orders_, [&](const Held& held) { return held.order.provider == provider; });
  open.insert(open.end(), open_.begin(), open_.end());
  drafts.push_back(open_draft(open));
  if (const auto stored = books_.put_documents(std::move(drafts)); !stored)
    spdlog::error("that orders of {} are cancelled is not on record: {}", provider, stored.error());
  open_ = std::move(open);
  release_again_ns_ = 0;
}

void Market::release(std::vector<Open> open) {
  if (open.empty()) return;
  open_.insert(open_.end(), open.begin(), open.end());
  store_open();
}

void Market::store_open() {
  if (const auto stored = books_.put_documents({open_draft(open_)}); !stored)
    spdlog::error("what is to be released is not on record: {}", stored.error());
}

// On the desk's thread.
void Market::release_here(std::vector<Open> open, std::vector<Sells> sells) {
  std::vector<negotiation::Seller> sellers;
  for (const Sells& each : sells) {
    if (auto seller = seller_of(each)) sellers.push_back(std::move(*seller));
  }
  negotiation::Desk desk(real_clocks(), &cancelled_, [this](const negotiation::Record& r) {
    (void)books_.put_document("releases", std::to_string(r.ended_ns), to_json(r).dump());
  });
  auto left = negotiation::release(open, sellers, desk, negotiation::Steady::now() + kReleases);
  control_.post([this, left = std::move(left), count = open.size()] {
    is_releasing_ = false;
    // What was added meanwhile is behind those.
    open_.erase(open_.begin(), open_.begin() + static_cast<std::ptrdiff_t>(count));
    open_.insert(open_.begin(), left.begin(), left.end());
    for (const Open& each : left)
      spdlog::warn("{} may still hold {} for us: {}", each.provider,
                   each.id.empty() ? each.external_id : each.id, each.why);
    store_open();
  });
}

void Market::tick(const IsNeeded& is_needed, const NeedAgain& need_again) {
  const int64_t now_ns = wall_now_ns();
  std::vector<std::string> unneeded;
  for (Held& held : orders_) {
    if (held.order.is_at(now_ns) && !held.is_priced) price(held);
    if (is_needed(held.order)) held.needed_ns = now_ns;
    if (now_ns - held.needed_ns > kUnneededAfterNs) unneeded.push_back(held.order.provider);
  }
  for (const std::string& provider : unneeded) cancel(provider, "no service needs it any more");
  for (Held& held : orders_) {
    if (held.needed_ns != now_ns || now_ns < held.renew_ns(kTakes)) continue;
    held.renew_again_ns = now_ns + kRenewAgainNs;
    const auto need = need_again(held.order);
    if (!need || !can_ask(need->approved, need->wish.from_ns, need->wish.until_ns)) continue;
    negotiate(*need, [provider = held.order.provider](const auto& taken) {
      if (!taken) spdlog::warn("the order of {} is not renewed yet: {}", provider, taken.error());
    });
  }
  std::erase_if(orders_, [&](const Held& held) {
    if (held.order.wish.until_ns > now_ns) return false;
    spdlog::info("order {} of {} is over", held.order.id, held.order.provider);
    (void)books_.put_documents({draft_of(held.order, "over")});
    return true;
  });
  if (open_.empty() || is_releasing_ || now_ns < release_again_ns_) return;
  is_releasing_ = true;
  release_again_ns_ = now_ns + kReleaseEveryNs;
  desk_.post([this, open = open_, sells = all_sellers()] { release_here(open, sells); });
}

Answer Market::orders() const {
  json all = json::array();
  for (const Held& held : orders_) all.push_back(shown(held.order, wall_now_ns()));
  return {200, all};
}

Answer Market::negotiations() const {
  const auto stored = books_.documents(kNegotiations);
  if (!stored) return refuse(500, "Not read", stored.error());
  json all = json::array();
  for (const auto& [id, text] : *stored) {
    json one = json::parse(text, nullptr, false);
    one.erase("exchanges");
    one.erase("may_be_open");
    all.push_back(std::move(one));
  }
  return {200, all};
}

Answer Market::negotiation(const std::string& id) const {
  const auto stored = books_.documents(kNegotiations);
  if (!stored) return refuse(500, "Not read", stored.error());
  for (const auto& [each, text] : *stored) {
    if (each == id) return {200, json::parse(text, nullptr, false)};
  }
  return DocumentStore::missing(kNegotiations, id);
}

}  // namespace anabranch::control
