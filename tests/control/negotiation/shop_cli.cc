// SPDX-License-Identifier: BSD-3-Clause
// A shop on standard input and output: a request a line, an answer a line, JSON. For tests that
// put a server around it; see interfaces_smoke.py.
#include <iostream>
#include <string>

#include "tests/control/negotiation/spare.h"

namespace {

using namespace anabranch::negotiation;
using nlohmann::json;

ShopTerms terms() {
  ShopTerms terms;
  terms.spare = [](int64_t, int64_t) { return north("0.100000001", "20"); };
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
