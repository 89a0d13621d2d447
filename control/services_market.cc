// SPDX-License-Identifier: BSD-3-Clause
// What is bought of other providers for services: when our own links do not keep a request, and
// for as long as a service needs it.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>

#include "billing/wall_clock.h"
#include "control/negotiation/moment.h"
#include "control/ordered_paths.h"
#include "control/services.h"

namespace anabranch::control {
namespace {

using billing::Amount;
using negotiation::kSecondNs;

constexpr uint64_t kBandwidthMbps = 10;  // where no rate was asked for
constexpr uint64_t kVolumeMax = 1'000'000'000, kMonthS = 30 * 86'400;
// A quarter more than is missing: headers and repairs take some, and measurements vary.
constexpr double kBandwidthMore = 1.25;
constexpr int64_t kFirmS = 10;  // quotes that end sooner are of no use
// Ratings that differ by less are alike: the price decides.
constexpr double kRatingStep = 20;
constexpr auto kShortFor = std::chrono::seconds(8);
constexpr auto kNegotiateAgain = std::chrono::seconds(30);

bool is_approved(const Profile& profile, const std::string& provider) {
  return std::find(profile.pre_approved.begin(), profile.pre_approved.end(), provider) !=
         profile.pre_approved.end();
}

double missing(const std::optional<uint64_t>& rate_bps, double goodput_bps) {
  return rate_bps ? static_cast<double>(*rate_bps) - goodput_bps : 0;
}

// What is missing of the rates asked for: all of them, where our own paths are of no use for it.
uint64_t bandwidth_of(const ServiceRequest& request, const Scenario* own) {
  if (!request.rate_up_bps && !request.rate_down_bps) return kBandwidthMbps;
  const Prediction has = own == nullptr ? Prediction{} : own->expected;
  const double bps = std::max(missing(request.rate_up_bps, has.goodput_up_bps),
                              missing(request.rate_down_bps, has.goodput_down_bps));
  return static_cast<uint64_t>(std::max(1.0, std::ceil(bps * kBandwidthMore / 1e6)));
}

bool is_of_rate(const Objective& o) {
  return o.of == Objective::Of::rate_up || o.of == Objective::Of::rate_down;
}

// As if it asked for the rates that the agreement says, where they are more.
ServiceRequest with_agreed_rates(ServiceRequest request) {
  for (const Objective& o : request.objectives) {
    if (!is_of_rate(o)) continue;
    auto& rate = o.of == Objective::Of::rate_up ? request.rate_up_bps : request.rate_down_bps;
    rate = std::max(rate.value_or(0), static_cast<uint64_t>(o.limit));
  }
  return request;
}

ServiceRequest without_rates(ServiceRequest request) {
  request.rate_up_bps.reset();
  request.rate_down_bps.reset();
  std::erase_if(request.objectives, is_of_rate);
  return request;
}

// Of a window, what it may come to at most.
uint64_t volume_of(const ServiceRequest& request, uint64_t bandwidth_mbps, int64_t window_s) {
  const double octets = request.volume_octets ? static_cast<double>(*request.volume_octets)
                                              : static_cast<double>(bandwidth_mbps) * 125'000 *
                                                    static_cast<double>(window_s);
  return std::clamp<uint64_t>(static_cast<uint64_t>(std::ceil(octets / 1e9)), 1, kVolumeMax);
}

std::optional<Amount> budget_of(const ServiceRequest& request, uint64_t volume_gb) {
  if (request.budget) return billing::parse_amount(*request.budget);
  if (!request.price_per_gb_max) return std::nullopt;
  return billing::parse_amount(*request.price_per_gb_max).value_or(Amount()).times(volume_gb);
}

// A path as it is when so much of it is ours.
PathState bought(PathState path, uint64_t bandwidth_mbps) {
  for (uint64_t* rate : {&path.rate_up_bps, &path.rate_down_bps})
    *rate = lower_rate(*rate, bandwidth_mbps * 1'000'000);
  return path;
}

}  // namespace

bool Services::make_usable(PathState& path, const Profile& profile, int64_t at_ns) const {
  apply_documents(path, documents_.network(path.network), documents_.uplink(path.name),
                  at_ns / kSecondNs);
  if (!config_.find_uplink(path.name)->on_order) return true;
  const Order* order = market_.order_at(path.provider, at_ns);
  if (order == nullptr || !is_approved(profile, path.provider)) return false;
  path = bought(path, order->wish.bandwidth_mbps);
  return true;
}

Ordered Services::ordered() const {
  Ordered result;
  const int64_t now_ns = billing::wall_now_ns();
  for (const PathConfig& path : config_.peer.paths) {
    const UplinkConfig& uplink = *config_.find_uplink(path.uplink);
    const Order* order = uplink.on_order ? market_.order_at(uplink.provider, now_ns) : nullptr;
    const uint64_t bps = order == nullptr ? 0 : order->wish.bandwidth_mbps * 1'000'000;
    result.paths.push_back({path.id, std::min(bps, Treatment::kRateMax)});
  }
  return result;
}

// For sale by whom the profile approves. Those of which the path is alive: another one would be
// paid for in vain.
std::vector<PathState> Services::for_sale(const Profile& profile) const {
  std::vector<PathState> states = measured_paths();
  std::erase_if(states, [&](const PathState& path) {
    return !path.alive || !config_.find_uplink(path.name)->on_order ||
           !is_approved(profile, path.provider) ||
           profile.standing(path.provider, path.network) == Standing::never;
  });
  return states;
}

// Those with whose path beside our own the request could be kept, were it for nothing.
std::vector<std::string> Services::who_helps(const ServiceRequest& request, const Terms& terms,
                                             const std::vector<PathState>& own,
                                             uint64_t bandwidth_mbps) const {
  std::vector<std::string> result;
  for (const PathState& path : for_sale(terms.profile)) {
    std::vector<PathState> paths = own;
    paths.push_back(bought(path, bandwidth_mbps));
    const Choice choice = prefer(paths, terms.profile, for_choice(request, terms),
                                 terms.tariff.currency, nullptr, &ratings_);
    if (choice.preferred) result.push_back(path.provider);
  }
  return result;
}

negotiation::Ranking Services::ranking_by(const Profile& profile) const {
  negotiation::Ranking ranking;
  for (const PathState& path : measured_paths()) {
    ranking[path.provider] = {
        static_cast<uint32_t>(profile.standing(path.provider, path.network)),
        std::round(rating_of(ratings_.providers, path.provider) / kRatingStep) * kRatingStep};
  }
  return ranking;
}

std::optional<Market::Need> Services::need_of(const ServiceRequest& request, int64_t asked_s,
                                              std::optional<uint64_t> id) const {
  const auto terms = terms_of(request);
  if (!terms || terms->profile.pre_approved.empty()) return std::nullopt;
  const int64_t now_s = billing::wall_now_s();
  const int64_t from_s = std::max(now_s, request.start_s.value_or(now_s));
  const int64_t until_s =
      std::min(end_of(request, asked_s).value_or(INT64_MAX), from_s + config_.order_window_s);
  const View view = view_of(request, terms->profile, id);
  const auto own = beside(priced_paths(*terms, from_s * kSecondNs), view.held);
  const ServiceRequest asked = with_agreed_rates(for_choice(request, *terms));
  const ServiceRequest at_any_rate = without_rates(asked);
  const Choice best =
      prefer(own, terms->profile, at_any_rate, terms->tariff.currency, nullptr, &ratings_);
  Market::Need need{.client = request.client, .ranking = ranking_by(terms->profile)};
  negotiation::Wish& wish = need.wish;
  wish.offering = "path";
  wish.bandwidth_mbps = bandwidth_of(asked, best.preferred ? &*best.preferred : nullptr);
  wish.delay_ms_max = at_any_rate.latency_ms_max;
  wish.loss_percent_max = at_any_rate.loss_percent_max;
  wish.from_ns = from_s * kSecondNs;
  wish.until_ns = until_s * kSecondNs;
  wish.currency = terms->tariff.currency;
  wish.volume_gb = volume_of(request, wish.bandwidth_mbps, until_s - from_s);
  wish.months = (static_cast<uint64_t>(until_s - from_s) + kMonthS - 1) / kMonthS;
  wish.budget = budget_of(request, wish.volume_gb);
  wish.valid_s_min = kFirmS;
  need.approved = who_helps(request, *terms, own, wish.bandwidth_mbps);
  if (!market_.can_ask(need.approved, wish.from_ns, wish.until_ns)) return std::nullopt;
  // What the client is charged for it, with the margin and beside our own paths, is known only by
  // the quote.
  need.objection = [this, request, id] { return refusal_of(request, id); };
  return need;
}

std::string Services::refusal_of(const ServiceRequest& request, std::optional<uint64_t> id) const {
  const auto d = inputs(request, nullptr, id);
  if (!d) return d.error().body.value("detail", "");
  const Choice choice = prefer(d->paths, d->profile, d->request, d->currency, nullptr, &d->ratings);
  return choice.preferred ? "" : choice.refusal + budget_text(request, d->currency);
}

std::optional<Services::Offer> Services::offer(const std::string& client, uint64_t rate_bps) const {
  ServiceRequest request{.client = client};
  if (documents_.client(client) == nullptr) return std::nullopt;
  request.rate_up_bps = request.rate_down_bps = rate_bps;
  auto scenario = choose(request, nullptr).outcome;
  if (!scenario) scenario = choose({.client = client}, nullptr).outcome;
  if (!scenario) return std::nullopt;
  return Offer{std::move(*scenario), terms_of(request)->tariff.currency};
}

void Services::negotiate(const ServiceRequest& request, Market::Need need, const Answer& refusal,
                         Reply reply) {
  market_.negotiate(
      std::move(need), [this, request, refusal, reply = std::move(reply)](const auto& taken) {
        const auto known = known_by_key(request);
        if (known) return reply(*known);
        Ruling decided = choose(request, nullptr);
        if (decided.outcome) return open(request, std::move(decided), reply);
        if (taken) market_.cancel(*taken, "the request cannot be kept with it either");
        Answer answer = decided.outcome.error();
        answer.body["detail"] =
            refusal.body.value("detail", "") + "; other providers: " +
            (taken ? *taken + " took the order, but: " + answer.body.value("detail", "")
                   : taken.error());
        reply(answer);
        chronicle_.asked(std::move(decided));
      });
}

// Admitted, but not kept any more: others are asked now and then. Not at once, since links come
// back, and at a start are not up yet.
void Services::negotiate_for(uint64_t id, Service& service) {
  const auto now = Clock::now();
  if (now - service.short_since < kShortFor || now - service.negotiated < kNegotiateAgain) return;
  auto need = need_of(service.request, service.asked_s, id);
  if (!need) return;
  service.negotiated = now;
  market_.negotiate(std::move(*need), [client = service.request.client](const auto& taken) {
    if (!taken) spdlog::warn("no provider helps client {}: {}", client, taken.error());
  });
}

bool Services::needs(const Order& order) const {
  return std::any_of(services_.begin(), services_.end(), [&](const auto& entry) {
    const Service& service = entry.second;
    if (service.state == State::scheduled)
      return service.request.client == order.client &&
             *service.request.start_s * kSecondNs < order.wish.until_ns;
    return is_carried(service) &&
           std::any_of(service.scenario.shares.begin(), service.scenario.shares.end(),
                       [&](const auto& share) { return share.provider == order.provider; });
  });
}

// For the same, of whoever is the best then.
std::optional<Market::Need> Services::need_again(const Order& order) const {
  const Client* client = documents_.client(order.client);
  const Profile* profile = client == nullptr ? nullptr : documents_.profile(client->profile);
  if (profile == nullptr) return std::nullopt;
  Market::Need need{.client = order.client};
  for (const PathState& path : for_sale(*profile)) need.approved.push_back(path.provider);
  need.wish = order.wish;
  need.wish.from_ns = order.wish.until_ns;
  need.wish.until_ns = need.wish.from_ns + config_.order_window_s * kSecondNs;
  need.ranking = ranking_by(*profile);
  return need;
}

}  // namespace anabranch::control
