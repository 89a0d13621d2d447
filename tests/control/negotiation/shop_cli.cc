// SPDX-License-Identifier: BSD-3-Clause
// A shop on standard input and output: a request a line, an answer a line, JSON. For tests that
// put a server around it; see interfaces_smoke.py.
#include <iostream>
#include <string>

#include "control/negotiation/shop.h"

namespace {

using namespace anabranch::negotiation;
using nlohmann::json;

ShopTerms terms() {
  ShopTerms terms;
  terms.spare = [](int64_t, int64_t) {
    Spare spare{.path = "north", .bandwidth_mbps = 1000};
    spare.delay_ms = 12.5;
    spare.loss_percent = 0.1;
    spare.currency = "EUR";
    spare.prices = {{Per::gigabyte, *anabranch::billing::parse_amount("0.100000001")},
                    {Per::month, *anabranch::billing::parse_amount("20")}};
    return spare;
  };
  return terms;
}

}  // namespace

int main() {
  Shop shop(terms());
  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line);
    Asked asked{.buyer = "buyer-1", .method = request.at("method"), .path = request.at("path")};
    for (const auto& [name, value] : request.at("query").items()) asked.query[name] = value;
    asked.body = request.at("body");
    asked.now_ns = request.at("now_ns");
    const Reply reply = shop.handle(asked);
    // As if it had been stopped after each answer.
    Shop again(terms());
    if (!again.restore(json::parse(shop.state().dump()))) return 1;
    shop = std::move(again);
    std::cout << json{{"status", reply.status}, {"headers", reply.headers}, {"body", reply.body}}
              << std::endl;
  }
}
