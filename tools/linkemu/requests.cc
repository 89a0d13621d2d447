// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/requests.h"

#include <fmt/format.h>

#include <sstream>
#include <utility>

namespace anabranch::linkemu {
namespace {

using nlohmann::json;

json counts_json(const Counts& counts) {
  json result;
  for (size_t i = 0; i < kClassNames.size(); ++i) {
    const Count& count = counts.of(static_cast<TrafficClass>(i));
    result[std::string(kClassNames[i])] = {{"packets", count.packets}, {"octets", count.octets}};
  }
  return result;
}

double ms(uint64_t ns) {
  return static_cast<double>(ns) / 1e6;
}

json lane_json(const Lane& lane) {
  const Settings& settings = lane.direction.settings();
  const Counters& counters = lane.direction.counters();
  json dropped;
  for (size_t i = 0; i < kDropNames.size(); ++i)
    dropped[std::string(kDropNames[i])] = counts_json(counters.dropped_for(static_cast<Drop>(i)));
  return {{"up", settings.up},
          {"rate_bps", settings.rate_bps},
          {"delay_ms", ms(settings.delay_ns)},
          {"jitter_ms", ms(settings.jitter_ns)},
          {"loss_percent", settings.loss_percent},
          {"queue_ms", ms(settings.queue_ns)},
          {"reorder", settings.reorder},
          {"in_flight", lane.direction.in_flight()},
          {"offered", counts_json(counters.offered)},
          {"delivered", counts_json(counters.delivered)},
          {"dropped", dropped},
          {"socket_drops", lane.socket_drops}};
}

json stats(std::span<const Lane> lanes) {
  json links = json::array();
  for (const Lane& lane : lanes) {
    if (links.empty() || links.back()["name"] != lane.link) links.push_back({{"name", lane.link}});
    links.back()[std::string(lane.way)] = lane_json(lane);
  }
  return {{"links", links}};
}

json error(const std::string& sentence) {
  return {{"error", sentence}};
}

json set(std::span<Lane> lanes, const std::vector<std::string>& words) {
  const std::string &link = words[1], &way = words[2];
  if (way != "ab" && way != "ba" && way != "both")
    return error("direction \"" + way + "\": must be ab, ba or both");
  std::vector<std::pair<Lane*, Settings>> changed;
  for (Lane& lane : lanes) {
    if (lane.link != link || (way != "both" && way != lane.way)) continue;
    Settings settings = lane.direction.settings();
    for (size_t i = 3; i < words.size(); ++i) {
      const auto applied = apply_change(settings, words[i]);
      if (!applied) return error("link " + link + ": " + applied.error());
      settings = *applied;
    }
    changed.emplace_back(&lane, settings);
  }
  if (changed.empty()) return error("link \"" + link + "\": there is none of that name");
  for (const auto& [lane, settings] : changed) lane->direction.set(settings);
  return {{"done", true}};
}

uint64_t packets_of(const json& counts, std::string_view traffic) {
  return counts.at(std::string(traffic)).at("packets").get<uint64_t>();
}

std::string settings_line(const json& link, const std::string& way) {
  const json& lane = link.at(way);
  const uint64_t rate_bps = lane.at("rate_bps").get<uint64_t>();
  return fmt::format(
      "{} {}: {}, {}, delay {} ms, jitter {} ms, loss {} %, queue {} ms; {} in flight\n",
      link.at("name").get<std::string>(), way, lane.at("up").get<bool>() ? "up" : "down",
      rate_bps == 0 ? "no rate limit"
                    : fmt::format("{:g} Mbit/s", static_cast<double>(rate_bps) / 1e6),
      lane.at("delay_ms").get<double>(), lane.at("jitter_ms").get<double>(),
      lane.at("loss_percent").get<double>(), lane.at("queue_ms").get<double>(),
      lane.at("in_flight").get<uint64_t>());
}

std::string class_line(const json& lane, std::string_view traffic) {
  std::string dropped;
  for (const auto& [reason, counts] : lane.at("dropped").items()) {
    if (const uint64_t packets = packets_of(counts, traffic); packets != 0)
      dropped += fmt::format(" {} {}", reason, packets);
  }
  const json &offered = lane.at("offered"), &delivered = lane.at("delivered");
  const std::string key(traffic);
  return fmt::format("  {:<8}{:>14}{:>18}{:>14}{:>18}  {}\n", traffic, packets_of(offered, traffic),
                     offered.at(key).at("octets").get<uint64_t>(), packets_of(delivered, traffic),
                     delivered.at(key).at("octets").get<uint64_t>(),
                     dropped.empty() ? "-" : dropped.substr(1));
}

}  // namespace

std::vector<Lane> make_lanes(std::span<const LinkSpec> links, uint32_t buffers, uint64_t seed) {
  std::vector<Lane> lanes;
  for (const LinkSpec& link : links) {
    lanes.push_back({link.name, "ab", Direction(link.ab, buffers, seed++)});
    lanes.push_back({link.name, "ba", Direction(link.ba, buffers, seed++)});
  }
  return lanes;
}

json answer(std::span<Lane> lanes, const std::string& request) {
  std::istringstream in(request);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  if (words.size() == 1 && words[0] == "stats") return stats(lanes);
  if (words.size() >= 4 && words[0] == "set") return set(lanes, words);
  return error("request \"" + request + "\": must be stats, or set LINK ab|ba|both CHANGE…");
}

std::string stats_table(const json& stats) {
  std::string table = fmt::format("  {:<8}{:>14}{:>18}{:>14}{:>18}  {}\n", "class", "offered",
                                  "octets", "delivered", "octets", "packets dropped for");
  for (const json& link : stats.at("links")) {
    for (const std::string way : {"ab", "ba"}) {
      table += settings_line(link, way);
      for (const std::string_view traffic : kClassNames) table += class_line(link.at(way), traffic);
      if (const auto drops = link.at(way).at("socket_drops").get<uint64_t>(); drops != 0)
        table += fmt::format("  not counted above: the socket dropped {} packets\n", drops);
    }
  }
  return table;
}

}  // namespace anabranch::linkemu
