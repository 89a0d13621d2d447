// SPDX-License-Identifier: BSD-3-Clause
// Where our own links do not do, paths are bought of other providers (claims c02, c03): which may
// be asked, negotiations with them, and what is on order.
//
// What a provider sells comes by an uplink of ours that is `on_order`: it carries clients' traffic
// only while an order of that provider is in force. Negotiations take seconds and run one after
// the other on a thread of their own; all else here is of the control thread. What was asked,
// answered and ordered is stored before it is relied on.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "control/books.h"
#include "control/document_store.h"
#include "control/loop.h"
#include "control/order_record.h"
#include "control/seller_document.h"

namespace anabranch::control {

class Market {
 public:
  struct Need {
    std::string client;
    std::vector<std::string> approved;  // providers, by the client's profile
    negotiation::Wish wish;             // but for id and buyer, which are ours
    negotiation::Ranking ranking;
    // Why an order would not help, as a sentence; empty: it would. Asked on the control thread
    // before each order is placed, while order_at() and tariff_at() are as if it had been taken.
    // Null: any helps.
    std::function<std::string()> objection;
  };
  // The provider that has taken the order; or why there is none, as a sentence. Control thread.
  using Done = std::function<void(tl::expected<std::string, std::string>)>;
  using IsNeeded = std::function<bool(const Order&)>;

  Market(Loop& control, const Config& config, DocumentStore& documents, Books& books);
  ~Market();

  // After a restart: orders go on, and what may be open of negotiations that were cut short is
  // released.
  tl::expected<void, std::string> reopen();

  // Whether a provider can be asked for a path of that window: approved, with an uplink that is on
  // order, and nothing of it ordered for then.
  bool can_ask(const std::vector<std::string>& approved, int64_t from_ns, int64_t until_ns) const;
  void negotiate(Need need, Done done);

  // The order by which the provider's path is ours then, or null.
  const Order* order_at(const std::string& provider, int64_t wall_ns) const;
  // What we owe the provider by that order; or null.
  const billing::Tariff* tariff_at(const std::string& provider, int64_t wall_ns) const;
  // Cancels all orders of the provider, which need not be waited for.
  void cancel(const std::string& provider, const std::string& why);
  // Every second: what has begun is priced, what nobody needs for a while is cancelled, what is
  // over is forgotten, what could not be released is tried again. `need_again` makes of an order
  // that is still needed the need for the window after it.
  using NeedAgain = std::function<std::optional<Need>(const Order&)>;
  void tick(const IsNeeded& is_needed, const NeedAgain& need_again);

  Answer orders() const;
  // All negotiations, or one with every exchange. For any thread.
  Answer negotiations() const;
  Answer negotiation(const std::string& id) const;

 private:
  struct Held {
    Order order;
    billing::Tariff tariff;
    bool is_priced = false;      // its tariff is stored
    int64_t needed_ns = 0;       // when it was last needed
    int64_t renew_again_ns = 0;  // not before
    // When to order for the window after it.
    int64_t renew_ns(std::chrono::nanoseconds takes) const;
  };
  // What one negotiation works on, apart from the control thread.
  struct Job;
  const Held* held_at(const std::string& provider, int64_t wall_ns) const;
  void hold(Order order);
  std::vector<Sells> sellers(const std::vector<std::string>& approved, int64_t from_ns,
                             int64_t until_ns) const;
  bool is_sold(const std::string& provider) const;
  void run(Job& job);
  void begin(Job& job);
  static Order order_of(const Need& need, const negotiation::Quote& quote);
  template <typename T>
  bool is_answered(const std::future<T>& asked) const;
  std::string objection_to(const Job& job, const negotiation::Quote& quote);
  Books::Status store(const Job& job);
  void fail(const Job& job, std::string why);
  void decided(Job& job, const negotiation::Outcome& outcome);
  void finish(Job& job, const negotiation::Outcome& outcome);
  void took(Order order, const Done& done);
  void price(Held& held);
  void release(std::vector<negotiation::Open> open);
  void release_here(std::vector<negotiation::Open> open, std::vector<Sells> sells);
  void store_open();
  std::vector<Sells> all_sellers() const;
  std::string next_id();

  Loop& control_;
  const Config& config_;
  DocumentStore& documents_;
  Books& books_;
  std::vector<Held> orders_;
  std::vector<negotiation::Open> open_;  // not released yet
  bool is_releasing_ = false;
  int64_t release_again_ns_ = 0, last_id_ns_ = 0;
  std::atomic<bool> cancelled_{false};
  Loop desk_;
  std::thread thread_;
};

}  // namespace anabranch::control
