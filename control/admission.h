// SPDX-License-Identifier: BSD-3-Clause
// Whether what a client asks for may become a service here, and what of it follows from its words
// alone; before any scenario is looked for. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "billing/money.h"
#include "control/document_store.h"
#include "control/scenario.h"

namespace anabranch::control {

// Its client is known, its traffic is the client's own and leads from behind this gateway to behind
// the peer, and it is not over yet. Rules without a destination get those behind the peer.
tl::expected<ServiceRequest, Answer> admit(const nlohmann::json& document, const Config& config,
                                           const DocumentStore& documents, int64_t now_s);

// Unix time when a service that was asked for at `asked_s` ends by itself; nullopt: it does not.
std::optional<int64_t> end_of(const ServiceRequest& request, int64_t asked_s);

// A budget for a volume as a price that must not be passed.
ServiceRequest with_budget(ServiceRequest request);
// The request as a scenario is chosen by it: with its budget, with what the profile asks for its
// class of traffic, and with what the agreement says.
ServiceRequest for_choice(ServiceRequest request, const Profile& profile,
                          const std::vector<Objective>& objectives);
// ", for the budget of 50 EUR is for 500 GB", where the budget is what limits the price.
std::string budget_text(const ServiceRequest& request, const std::string& currency);

// What the volume is expected to cost at the scenario's price; nullopt: no volume was named.
std::optional<billing::Amount> expected_price(const ServiceRequest& request,
                                              const Scenario& scenario);

}  // namespace anabranch::control
