// SPDX-License-Identifier: BSD-3-Clause
// What is said to providers, and what they answer, in TM Forum's words: TMF645 4.0.1 (is it
// available?), TMF648 4.0.0 (for how much?), TMF622 4.0.0 (we take it). Pure: text in, text out.
//
// What a provider answers is believed only where it says what was asked for, exactly; anything else
// is refused with field and reason. Fields that we do not need are passed over, as TMF630 asks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/money.h"

namespace anabranch::negotiation {

// What we want of a provider: one path, for a window.
struct Wish {
  std::string id;        // of this negotiation; the same on a retry
  std::string buyer;     // who we are to providers
  std::string offering;  // what they call it: "path"
  uint64_t bandwidth_mbps = 0;
  std::optional<double> delay_ms_max, loss_percent_max;  // one way
  int64_t from_ns = 0, until_ns = 0;                     // UTC; when it is to be had
  std::string currency;                                  // prices in another one are refused
  // What prices a gigabyte and a month are multiplied by, to compare exactly. At most 10^9 each.
  uint64_t volume_gb = 0, months = 0;
  std::optional<billing::Amount> budget;  // for all of it
  int64_t valid_s_min = 0;                // a firm quote that ends sooner is of no use
};

// The same on every retry: providers know by it that it is the same request.
std::string external_id(const Wish& wish, const std::string& provider);

// Bodies of requests.
std::string availability_request(const Wish& wish, const std::string& provider);
std::string quote_request(const Wish& wish, const std::string& provider, int64_t answer_by_ns);
std::string quote_rejection();
std::string order_request(const Wish& wish, const std::string& provider, const std::string& quote);
std::string order_cancellation(const std::string& order);

// Paths of requests, after the endpoint's base.
std::string availability_path(const std::string& id = {});
std::string quote_path(const std::string& id = {});
std::string order_path(const std::string& id = {});
std::string cancel_order_path();
// Those of ours, without what they cost: for what was asked and never answered.
std::string quotes_of(const std::string& external_id);
std::string orders_of(const std::string& external_id);

// The claim's availability message: what a provider can give now.
struct Availability {
  std::string path;
  uint64_t bandwidth_mbps = 0;
  std::optional<double> delay_ms, loss_percent;
};

enum class Per : uint8_t { gigabyte, month, once };

struct Price {
  Per per;
  billing::Amount amount;
  bool operator==(const Price&) const = default;
};

struct Quote {
  std::string provider;
  std::string id;
  std::vector<Price> prices;  // at most one of each kind, without tax
  std::string currency;
  billing::Amount total;   // for the wish's volume and months, exactly
  int64_t valid_until_ns;  // UTC
  std::vector<std::pair<std::string, std::string>> characteristics;
};

// Not decided yet: ask again for `id`.
struct Pending {
  std::string id;
};
// Why an answer is refused: which field, and a sentence.
struct Refusal {
  std::string field;  // JSON pointer, or empty for the whole
  std::string reason;
  std::string id;        // of what they made all the same, where they say it
  bool is_over = false;  // they say that they hold nothing for us
};
std::string to_text(const Refusal& refusal);

template <typename T>
using Reading = tl::expected<std::variant<T, Pending>, Refusal>;

Reading<Availability> read_availability(const std::string& body, const Wish& wish);
// `provider` is whom we asked; `now_ns` UTC.
Reading<Quote> read_quote(const std::string& body, const Wish& wish, const std::string& provider,
                          int64_t now_ns);
// The id of an order that is ours. It is pending while the provider works on it; `inProgress` is
// enough where the window begins later than now.
struct Ordered {
  std::string id;
};
Reading<Ordered> read_order(const std::string& body, const Wish& wish, const Quote& quote,
                            int64_t now_ns);
// Whether the answer to a rejection or cancellation confirms that nothing is held for us any more.
bool confirms_end(const std::string& body);

// What a list says of quotes or orders with our external id that are still open.
struct Listed {
  std::string id, state;
  std::optional<int64_t> valid_until_ns;
};
tl::expected<std::vector<Listed>, std::string> read_open(const std::string& body,
                                                         const std::string& external_id);
// "reason (code)" of an error in TMF's form; a stock phrase where it has none.
std::string error_text(const std::string& body);

}  // namespace anabranch::negotiation
