// SPDX-License-Identifier: BSD-3-Clause
#include "control/admission.h"

#include <algorithm>

#include "billing/exact.h"
#include "control/octets.h"

namespace anabranch::control {
namespace {

using billing::Amount;

constexpr uint64_t kOctetsPerGb = 1'000'000'000;

// Rules without a destination mean everything behind the peer.
void expand_destinations(std::vector<TrafficRule>& rules, const std::vector<Prefix>& behind_peer) {
  std::vector<TrafficRule> expanded;
  for (const TrafficRule& rule : rules) {
    if (rule.destination.length != 0) {
      expanded.push_back(rule);
      continue;
    }
    for (const Prefix& prefix : behind_peer) {
      if (prefix.is_ipv4() != rule.source.is_ipv4()) continue;
      expanded.push_back(rule);
      expanded.back().destination = prefix;
    }
  }
  rules = std::move(expanded);
}

bool lies_within(const Prefix& prefix, const std::vector<Prefix>& all) {
  return std::any_of(all.begin(), all.end(), [&](const Prefix& a) { return a.contains(prefix); });
}

void check_rule(const TrafficRule& rule, const std::string& at, const Client& client,
                const Config& config, FieldErrors& errors) {
  if (!lies_within(rule.source, client.prefixes)) {
    errors.push_back(
        {at + "/source", to_string(rule.source) + " is not within the client's prefixes"});
  }
  if (!lies_within(rule.source, config.lan_prefixes))
    errors.push_back({at + "/source", to_string(rule.source) + " is not behind this gateway"});
  const auto of_its_family = [&](const Prefix& p) { return p.is_ipv4() == rule.source.is_ipv4(); };
  if (rule.destination.length == 0 &&
      std::none_of(config.peer.prefixes.begin(), config.peer.prefixes.end(), of_its_family)) {
    errors.push_back({at + "/source", "nothing of its family is behind " + config.peer.name});
  }
  if (rule.destination.length != 0 && !lies_within(rule.destination, config.peer.prefixes)) {
    errors.push_back(
        {at + "/destination", to_string(rule.destination) + " is not behind " + config.peer.name});
  }
}

// What profile and agreement say of billing is not for a request to change.
void check_billing(const billing::Preferences& wish, const Client& client,
                   const DocumentStore& documents, FieldErrors& errors) {
  billing::Preferences agreed;
  if (const auto* sla = documents.agreement(client.sla)) agreed = sla->billing;
  if (const auto* profile = documents.profile(client.profile))
    agreed = agreed.over(profile->billing);
  if (wish.payment && wish.payment->by == billing::PayBy::card &&
      !documents.get("clients", client.id).body.contains("card"))
    errors.push_back({"/billing/payment/by", "the document of client " + client.id +
                                                 " has no card; expected \"invoice\", or nothing"});
  const std::string field = agreed.against(wish);
  if (field.empty()) return;
  const std::string said = billing::to_json(agreed).at(field).dump();
  errors.push_back({"/billing/" + field, "expected " + said + ", as is agreed, or nothing"});
}

// Of a budget for a volume; rounded down.
std::optional<Amount> price_by_budget(const ServiceRequest& request) {
  if (!request.budget || !request.volume_octets) return std::nullopt;
  const auto budget = billing::parse_amount(*request.budget).value_or(Amount());
  return billing::Exact(budget).times(kOctetsPerGb, *request.volume_octets).cut_off();
}

bool budget_limits(const ServiceRequest& request, const Amount& by_budget) {
  return !request.price_per_gb_max ||
         by_budget < billing::parse_amount(*request.price_per_gb_max).value_or(Amount());
}

}  // namespace

tl::expected<ServiceRequest, Answer> admit(const nlohmann::json& document, const Config& config,
                                           const DocumentStore& documents, int64_t now_s) {
  auto request = parse_request(document);
  if (!request) {
    return tl::unexpected(refuse(400, "Wrong request",
                                 std::to_string(request.error().size()) + " field(s) are wrong",
                                 request.error()));
  }
  const Client* client = documents.client(request->client);
  if (client == nullptr) {
    return tl::unexpected(
        refuse(404, "Unknown client", "there is no client \"" + request->client + "\""));
  }
  if (request->until_s && *request->until_s <= now_s) {
    return tl::unexpected(refuse(422, "Over already", "the service would end before it begins",
                                 {{"/until", instant_text(*request->until_s) + " is past"}}));
  }
  FieldErrors errors;
  for (size_t i = 0; i < request->traffic.size(); ++i) {
    check_rule(request->traffic[i], "/traffic/" + std::to_string(i), *client, config, errors);
  }
  if (!errors.empty()) {
    return tl::unexpected(refuse(422, "Traffic cannot be carried",
                                 "some of the traffic is not the client's or leads elsewhere",
                                 errors));
  }
  check_billing(request->billing, *client, documents, errors);
  if (!errors.empty()) {
    return tl::unexpected(refuse(422, "Billing is agreed otherwise",
                                 "a request may ask for what profile and agreement leave open",
                                 errors));
  }
  expand_destinations(request->traffic, config.peer.prefixes);
  return *request;
}

std::optional<int64_t> end_of(const ServiceRequest& request, int64_t asked_s) {
  if (!request.duration_s) return request.until_s;
  return std::max(asked_s, request.start_s.value_or(asked_s)) + *request.duration_s;
}

ServiceRequest with_budget(ServiceRequest request) {
  const auto price = price_by_budget(request);
  if (price && budget_limits(request, *price)) request.price_per_gb_max = billing::to_text(*price);
  return request;
}

ServiceRequest for_choice(ServiceRequest request, const Profile& profile,
                          const std::vector<Objective>& objectives) {
  const auto limit = [](std::optional<double>& asked, const std::optional<double>& by_class) {
    if (by_class) asked = std::min(asked.value_or(*by_class), *by_class);
  };
  limit(request.latency_ms_max, profile.latency_ms_max);
  limit(request.loss_percent_max, profile.loss_percent_max);
  request.objectives = objectives;
  return with_budget(std::move(request));
}

std::string budget_text(const ServiceRequest& request, const std::string& currency) {
  const auto price = price_by_budget(request);
  if (!price || !budget_limits(request, *price)) return {};
  return ", for the budget of " + *request.budget + " " + currency + " is for " +
         octets_text(*request.volume_octets);
}

std::optional<Amount> expected_price(const ServiceRequest& request, const Scenario& scenario) {
  if (!request.volume_octets) return std::nullopt;
  const auto per_gb =
      Amount::from_attos(static_cast<billing::Int128>(scenario.expected.price_attos_per_gb));
  return billing::Exact(per_gb).times(*request.volume_octets, kOctetsPerGb).cut_off();
}

}  // namespace anabranch::control
