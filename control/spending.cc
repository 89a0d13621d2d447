// SPDX-License-Identifier: BSD-3-Clause
#include "control/spending.h"

#include <string>

namespace anabranch::control {

using nlohmann::json;

void Spending::count(uint64_t service, const Octets& octets, const Prices& per_octet) {
  Service& s = services_[service];
  for (size_t path = 0; path < octets.size(); ++path) {
    const uint64_t since = octets[path] < s.octets[path] ? 0 : s.octets[path];
    s.spent += per_octet[path].times(octets[path] - since);
  }
  s.octets = octets;
}

billing::Amount Spending::spent(uint64_t service) const {
  const auto found = services_.find(service);
  return found == services_.end() ? billing::Amount() : found->second.spent;
}

json Spending::to_json() const {
  json kept = json::array();
  for (const auto& [id, service] : services_) {
    kept.push_back(
        {{"service", id}, {"octets", service.octets}, {"spent", billing::to_text(service.spent)}});
  }
  return kept;
}

tl::expected<Spending, std::string> Spending::from_json(const json& kept) {
  Spending spending;
  try {
    for (const json& one : kept) {
      const auto spent = billing::parse_amount(one.at("spent").get<std::string>());
      if (!spent) return tl::unexpected(one.at("spent").dump() + " is no amount");
      spending.services_[one.at("service").get<uint64_t>()] = {one.at("octets").get<Octets>(),
                                                               *spent};
    }
  } catch (const json::exception& error) {
    return tl::unexpected(std::string("not as it was written: ") + error.what());
  }
  return spending;
}

}  // namespace anabranch::control
