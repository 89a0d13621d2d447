// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/spec.h"

#include <charconv>
#include <optional>
#include <utility>

namespace linkemu {
namespace {

using Units = std::vector<std::pair<std::string, double>>;

// "10ms" with the factors of its units.
std::optional<double> parse_quantity(const std::string& text, const Units& units) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  for (const auto& [name, factor] : units) {
    if (name == end) return value * factor;
  }
  return std::nullopt;
}

const Units kRates{{"bit/s", 1}, {"kbit/s", 1e3}, {"Mbit/s", 1e6}, {"Gbit/s", 1e9}};
const Units kTimes{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
const Units kShares{{"%", 0.01}, {"", 0.01}};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

}  // namespace

tl::expected<Settings, std::string> apply(Settings s, const std::string& change) {
  if (change == "up" || change == "down") {
    s.up = change == "up";
    return s;
  }
  const size_t equals = std::min(change.find('='), change.size());
  const std::string key = change.substr(0, equals);
  const std::string value = equals < change.size() ? change.substr(equals + 1) : "";
  const auto wrong = [&](const char* expected) {
    return tl::unexpected(key + ": \"" + value + "\"; expected " + expected);
  };
  const auto time = [&](uint64_t& place) -> tl::expected<Settings, std::string> {
    const auto ns = parse_quantity(value, kTimes);
    if (!ns || *ns > 60e9) return wrong("a time up to 60s, such as 10ms");
    place = static_cast<uint64_t>(*ns);
    return s;
  };
  if (key == "delay") return time(s.delay_ns);
  if (key == "jitter") return time(s.jitter_ns);
  if (key == "queue") return time(s.queue_ns);
  if (key == "rate") {
    const auto bps = parse_quantity(value, kRates);
    if (!bps || *bps < 1000 || *bps > 1e11)
      return wrong("a rate from 1kbit/s to 100Gbit/s, such as 100Mbit/s");
    s.rate_bps = static_cast<uint64_t>(*bps);
    return s;
  }
  if (key == "loss") {
    const auto share = parse_quantity(value, kShares);
    if (!share || *share > 1) return wrong("a percentage, such as 1%");
    s.loss = *share;
    return s;
  }
  if (key == "reorder") {
    if (value != "on" && value != "off") return wrong("on or off");
    s.reorder = value == "on";
    return s;
  }
  return tl::unexpected(
      "\"" + key +
      "\" is no setting; expected up, down, rate, delay, jitter, loss, queue or reorder");
}

tl::expected<LinkSpec, std::string> parse_link(const std::string& text) {
  LinkSpec spec;
  for (const std::string& part : split(text, ',')) {
    const size_t equals = std::min(part.find('='), part.size());
    const std::string key = part.substr(0, equals),
                      value = part.substr(std::min(equals + 1, part.size()));
    if (key == "name")
      spec.name = value;
    else if (key == "a")
      spec.a = value;
    else if (key == "b")
      spec.b = value;
    else {
      const size_t dot = std::min(key.find('.'), key.size());
      const std::string direction = key.substr(std::min(dot + 1, key.size()));
      if (dot < key.size() && direction != "ab" && direction != "ba")
        return tl::unexpected(key + ": expected .ab or .ba behind the dot");
      const std::string change = key.substr(0, dot) + part.substr(equals);
      for (Settings* s : {&spec.ab, &spec.ba}) {
        if ((direction == "ab" && s == &spec.ba) || (direction == "ba" && s == &spec.ab)) continue;
        const auto applied = apply(*s, change);
        if (!applied) return tl::unexpected("link \"" + spec.name + "\": " + applied.error());
        *s = *applied;
      }
    }
  }
  if (spec.name.empty() || spec.a.empty() || spec.b.empty()) {
    return tl::unexpected("link \"" + text +
                          "\": expected name=, a= and b= (the interfaces of both ends)");
  }
  return spec;
}

}  // namespace linkemu
