// SPDX-License-Identifier: BSD-3-Clause
#include "control/rating_history.h"

#include <algorithm>
#include <cmath>

namespace anabranch::control {
namespace {

using nlohmann::json;

struct WindowKind {
  double seconds;
  double weight;
};
constexpr std::array<WindowKind, RatingHistory::kWindows> kKinds{
    {{1, 0.01}, {60, 0.67}, {3600, 0.22}, {2'592'000, 0.1}}};

double confidence_of(const LinkSummary& s, const WindowKind& kind) {
  return s.samples / (s.samples + kind.seconds / 4);
}

PathRecord record_of(const LinkSummary& s) {
  return {.samples = s.samples,
          .latency_ms = s.rtt_us / 2e3,
          .jitter_ms = s.variation_us / 1e3,
          .loss = s.loss_ppm / 1e6,
          .availability = s.available_ppm / 1e6,
          .rate_kept = s.kept_ppm / 1e6};
}

void write_measured(json& row, const LinkSummary& s) {
  row["availability_percent"] = s.available_ppm / 1e4;
  row["rtt_ms"] = s.rtt_us / 1e3;
  row["delay_ms"] = s.delay_us / 1e3;
  row["rtt_variation_ms"] = s.variation_us / 1e3;
  row["loss_percent"] = s.loss_ppm / 1e4;
  row["rate_kept_percent"] = s.kept_ppm / 1e4;
  row["delivered_bps"] = uint64_t{1000} * s.delivered_kbps;
}

}  // namespace

void RatingHistory::add(int64_t now, const std::vector<PathState>& paths) {
  const int64_t minute = now / 60;
  for (const PathState& p : paths) {
    Link& link = links_[p.name];
    if (link.seen >= 0 && link.seen / 60 != minute) close_minute(link, link.seen / 60, now);
    link.provider = p.provider;
    link.network = p.network;
    link.capacity = static_cast<double>(p.rate_up_bps) + static_cast<double>(p.rate_down_bps);
    link.alive = p.alive;
    link.seen = now;
    link.seconds.put(summary_of(p, now));
    link.minute = summarise(link.seconds.last(now));
  }
  last_ = now;
  forget();
  const RatedByName rated = links(now);
  follow(shown_links_, rated);
  follow(shown_networks_, means(rated, &Link::network));
  follow(shown_providers_, means(rated, &Link::provider));
}

// The hour that is under way is summarised anew with each minute of it.
void RatingHistory::close_minute(Link& link, int64_t minute, int64_t now) {
  LinkSummary closed = summarise(link.seconds.between(60 * minute, 60 * minute + 59));
  closed.at = minute;
  if (closed.samples != 0) link.minutes.put(closed);
  const int64_t hour = minute / 60;
  LinkSummary of_hour = summarise(link.minutes.between(60 * hour, 60 * hour + 59));
  of_hour.at = hour;
  if (of_hour.samples != 0) link.hours.put(of_hour);
  link.hour = summarise(link.minutes.last(now / 60 - 1));
  link.month = summarise(link.hours.last(now / 3600));
}

void RatingHistory::forget() {
  while (links_.size() > kLinksMax) {
    links_.erase(std::min_element(links_.begin(), links_.end(), [](const auto& a, const auto& b) {
      return a.second.seen < b.second.seen;
    }));
  }
}

RatingHistory::Windows RatingHistory::windows_of(const Link& link, int64_t now) {
  const std::array<LinkSummary, kWindows> summaries{summarise(link.seconds.between(now, now)),
                                                    summarise(link.seconds.last(now)), link.hour,
                                                    link.month};
  Windows windows;
  for (size_t i = 0; i < kWindows; ++i)
    windows[i] = {summaries[i], rating_of(summaries[i]), confidence_of(summaries[i], kKinds[i])};
  return windows;
}

RatingHistory::Rated RatingHistory::rated(const Link& link, int64_t now) {
  Rated r{.windows = windows_of(link, now)};
  double sum = 0, weights = 0;
  for (size_t i = 0; i < kWindows; ++i) {
    const double weight = kKinds[i].weight * r.windows[i].confidence;
    sum += weight * r.windows[i].rating;
    weights += weight;
    r.samples = std::max<uint64_t>(r.samples, r.windows[i].summary.samples);
  }
  r.confidence = weights;  // the kinds' weights add up to 1
  r.rating = link.alive && weights > 0 ? sum / weights : 0;
  return r;
}

RatingHistory::RatedByName RatingHistory::links(int64_t now) const {
  RatedByName result;
  for (const auto& [name, link] : links_) {
    if (link.seen == last_) result.emplace(name, rated(link, now));
  }
  return result;
}

RatingHistory::RatedByName RatingHistory::means(const RatedByName& links,
                                                std::string Link::*name) const {
  RatedByName result;
  std::map<std::string, double> capacities;
  for (const auto& [id, unused] : links) {
    const Link& link = links_.at(id);
    capacities[link.*name] += link.capacity;
  }
  for (const auto& [id, of_link] : links) {
    const Link& link = links_.at(id);
    const double capacity = capacities[link.*name];
    if (capacity <= 0) continue;
    const double part = link.capacity / capacity;
    Rated& mean = result[link.*name];
    mean.rating += part * of_link.rating;
    mean.confidence += part * of_link.confidence;
    mean.samples += of_link.samples;
    for (size_t i = 0; i < kWindows; ++i) {
      mean.windows[i].rating += part * of_link.windows[i].rating;
      mean.windows[i].confidence += part * of_link.windows[i].confidence;
      mean.windows[i].summary.samples += of_link.windows[i].summary.samples;
    }
  }
  return result;
}

void RatingHistory::follow(Shown& shown, const RatedByName& rated) {
  std::erase_if(shown, [&](const auto& entry) { return !rated.contains(entry.first); });
  for (const auto& [name, r] : rated) {
    const auto [entry, is_new] = shown.try_emplace(name, r.rating);
    const bool died_or_came_back = (entry->second == 0) != (r.rating == 0);
    if (!is_new && (died_or_came_back || std::abs(r.rating - entry->second) > kClearly))
      entry->second = r.rating;
  }
}

std::array<PathRecord, 3> RatingHistory::records(const std::string& name) const {
  const auto found = links_.find(name);
  if (found == links_.end() || found->second.seen != last_) return {};
  const Link& link = found->second;
  return {record_of(link.minute), record_of(link.hour), record_of(link.month)};
}

// Shown is what held at the last add(); nothing is known of later.
Ratings RatingHistory::ratings() const {
  const auto list = [](const Shown& shown) {
    return std::vector<std::pair<std::string, double>>(shown.begin(), shown.end());
  };
  return {list(shown_links_), list(shown_networks_), list(shown_providers_)};
}

json RatingHistory::history(int64_t now) const {
  const auto list = [](const RatedByName& all, const Shown& shown, bool measured) {
    json result = json::array();
    for (const auto& [name, r] : all) {
      json windows = json::array();
      for (size_t i = 0; i < kWindows; ++i) {
        const Window& w = r.windows[i];
        json row{{"window", kWindowNames[i]},
                 {"rating", w.rating},
                 {"confidence", w.confidence},
                 {"samples", w.summary.samples}};
        if (measured) write_measured(row, w.summary);
        windows.push_back(std::move(row));
      }
      const auto found = shown.find(name);
      result.push_back({{"name", name},
                        {"rating", found == shown.end() ? r.rating : found->second},
                        {"confidence", r.confidence},
                        {"samples", r.samples},
                        {"windows", windows}});
    }
    return result;
  };
  const RatedByName rated = links(now);
  return {{"links", list(rated, shown_links_, true)},
          {"networks", list(means(rated, &Link::network), shown_networks_, false)},
          {"providers", list(means(rated, &Link::provider), shown_providers_, false)}};
}

json RatingHistory::to_json() const {
  json links = json::object();
  for (const auto& [name, link] : links_) {
    links[name] = {{"provider", link.provider},
                   {"network", link.network},
                   {"capacity", link.capacity},
                   {"alive", link.alive},
                   {"seen", link.seen},
                   {"minutes", link.minutes.to_json()},
                   {"hours", link.hours.to_json()}};
  }
  return {
      {"version", 1},
      {"last", last_},
      {"links", links},
      {"shown",
       {{"links", shown_links_}, {"networks", shown_networks_}, {"providers", shown_providers_}}}};
}

tl::expected<RatingHistory, std::string> RatingHistory::from_json(const json& stored) {
  const auto wrong = [](const std::string& what) {
    return tl::unexpected("the history of ratings is not understood: " + what);
  };
  try {
    RatingHistory result;
    if (stored.at("version") != 1) return wrong("version " + stored.at("version").dump());
    result.last_ = stored.at("last");
    for (const auto& [name, link] : stored.at("links").items()) {
      Link& l = result.links_[name];
      l.provider = link.at("provider");
      l.network = link.at("network");
      l.capacity = link.at("capacity");
      l.alive = link.at("alive");
      l.seen = link.at("seen");
      if (!l.minutes.read(link.at("minutes")) || !l.hours.read(link.at("hours")))
        return wrong("the minutes or hours of link \"" + name + "\"");
      l.hour = summarise(l.minutes.last(l.seen / 60));
      l.month = summarise(l.hours.last(l.seen / 3600));
    }
    result.forget();
    const json& shown = stored.at("shown");
    result.shown_links_ = shown.at("links").get<Shown>();
    result.shown_networks_ = shown.at("networks").get<Shown>();
    result.shown_providers_ = shown.at("providers").get<Shown>();
    return result;
  } catch (const json::exception& e) {
    return wrong(e.what());
  }
}

}  // namespace anabranch::control
