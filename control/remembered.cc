// SPDX-License-Identifier: BSD-3-Clause
#include "control/remembered.h"

#include <optional>
#include <string_view>
#include <type_traits>

namespace anabranch::control {
namespace {

// One value behind the other; two texts are equal when all values are.
class InputText {
 public:
  template <typename T>
  void add(const T& value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, Uint128>);
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void add(std::string_view value) {
    add(value.size());
    text_.append(value);
  }
  template <typename T>
  void add(const std::optional<T>& value) {
    add(value.has_value());
    if (!value) return;
    if constexpr (std::is_same_v<T, std::string>)
      add(std::string_view(*value));
    else
      add(*value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_profile(InputText& text, const Profile& p) {
  for (const auto* standings : {&p.providers, &p.networks}) {
    text.add(standings->size());
    for (const auto& [name, standing] : *standings) {
      text.add(std::string_view(name));
      text.add(standing);
    }
  }
  text.add(p.prefer_highest_rated);
  text.add(p.quality_percent);
  text.add(p.dispersions.size());
  for (const Dispersion dispersion : p.dispersions) text.add(dispersion);
  text.add(std::string_view(p.traffic_class));
  text.add(p.treatment.weight);
  text.add(p.treatment.rate_up_max);
  text.add(p.treatment.rate_down_max);
  text.add(p.treatment.urgent);
  text.add(p.treatment.background);
}

// Of a path that may not be used, only why.
void add_path(InputText& text, const PathState& p, const Profile& profile, const Ratings& ratings) {
  text.add(std::string_view(p.name));
  text.add(std::string_view(p.provider));
  text.add(std::string_view(p.network));
  text.add(p.index);
  text.add(p.alive);
  text.add(p.used_up);
  text.add(std::string_view(p.quota));
  text.add(p.held_back_s);
  text.add(p.held_up_bps);
  text.add(p.held_down_bps);
  if (!p.alive || profile.standing(p.provider, p.network) == Standing::never) return;
  for (const double measured :
       {p.rtt_ms, p.rtt_min_ms, p.rtt_variation_ms, p.loss_up, p.loss_down, p.availability})
    text.add(measured);
  for (const PathRecord& r : p.records) {
    text.add(r.samples != 0);
    for (const double measured : {r.latency_ms, r.jitter_ms, r.loss, r.availability, r.rate_kept})
      text.add(measured);
  }
  text.add(p.rate_up_bps);
  text.add(p.rate_down_bps);
  text.add(p.mtu);
  text.add(p.overhead);
  text.add(p.price_attos_per_octet);
  text.add(rating_of(ratings.links, p.name));
  text.add(rating_of(ratings.networks, p.network));
  text.add(rating_of(ratings.providers, p.provider));
}

}  // namespace

uint64_t Remembered::outlook_of(const Asking& a, const Ratings& ratings) {
  const auto [known, is_new] = known_.try_emplace({a.market, a.profile});
  if (!is_new) return known->second;
  InputText text;
  text.add(std::string_view(a.market->currency));
  add_profile(text, *a.profile);
  for (const PathState& p : a.market->paths) add_path(text, p, *a.profile, ratings);
  std::string all = text.take();
  const auto before = outlooks_before_.find(all);
  const uint64_t number = before == outlooks_before_.end() ? ++last_number_ : before->second;
  // Another market or profile that comes to the same.
  return known->second = outlooks_.try_emplace(std::move(all), number).first->second;
}

std::string Remembered::inputs_of(const Asking& a, const Ratings& ratings) {
  InputText text;
  text.add(outlook_of(a, ratings));
  const ServiceRequest& r = *a.request;
  text.add(r.rate_up_bps);
  text.add(r.rate_down_bps);
  text.add(r.latency_ms_max);
  text.add(r.loss_percent_max);
  text.add(r.price_per_gb_max);
  text.add(r.objectives.size());
  for (const Objective& o : r.objectives) {
    text.add(o.of);
    text.add(o.window);
    text.add(o.limit);
  }
  text.add(a.in_force != nullptr);
  if (a.in_force == nullptr) return text.take();
  text.add(a.in_force->dispersion);
  text.add(a.in_force->order.size());
  for (const uint8_t index : a.in_force->order) text.add(index);
  for (const auto& share : a.in_force->shares) {
    text.add(share.path_index);
    text.add(share.reserved_up_bps);
    text.add(share.reserved_down_bps);
  }
  return text.take();
}

const Decided* Remembered::find(const std::string& inputs, const View& view) const {
  const auto found = decided_.find(inputs);
  return found != decided_.end() && found->second.view == view ? &found->second : nullptr;
}

void Remembered::keep(std::vector<std::string> inputs, const std::vector<Decided>& decided) {
  decided_.clear();
  for (size_t i = 0; i < inputs.size(); ++i)
    decided_.insert_or_assign(std::move(inputs[i]), decided[i]);
  outlooks_before_ = std::exchange(outlooks_, {});
  known_.clear();
}

}  // namespace anabranch::control
