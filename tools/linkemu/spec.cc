// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/spec.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace anabranch::linkemu {
namespace {

using Units = std::vector<std::pair<std::string_view, double>>;
const Units kRates{{"bit/s", 1}, {"kbit/s", 1e3}, {"Mbit/s", 1e6}, {"Gbit/s", 1e9}};
const Units kTimes{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
const Units kPercents{{"%", 1}, {"", 1}};

// "10ms" in the unit whose factor is 1, when it lies within the bounds.
std::optional<double> parse_quantity(std::string_view text, const Units& units, double min,
                                     double max) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  for (const auto& [name, factor] : units) {
    // Written so that NaN is out of bounds too.
    if (name == unit && value * factor >= min && value * factor <= max) return value * factor;
  }
  return std::nullopt;
}

// "key.way=value": a change for one direction; without way, for both.
struct Item {
  std::string key;
  std::string way;   // "ab", "ba" or nothing
  std::string rest;  // "=value" or nothing

  std::string value() const { return rest.empty() ? rest : rest.substr(1); }
  bool is(const char* name) const { return key == name && way.empty(); }
};

Item parse_item(const std::string& text) {
  const size_t equals = std::min(text.find('='), text.size());
  const size_t dot = std::min(text.find('.'), equals);
  const size_t way = std::min(dot + 1, equals);
  return {.key = text.substr(0, dot),
          .way = text.substr(way, equals - way),
          .rest = text.substr(equals)};
}

std::vector<Item> parse_items(const std::string& text) {
  std::vector<Item> items;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    items.push_back(parse_item(text.substr(at, comma - at)));
    at = comma + 1;
  }
  return items;
}

bool is_name(const std::string& text) {
  return !text.empty() && text.find_first_of(" \t\r\n") == std::string::npos;
}

// A key for one direction comes after the same key for both.
tl::expected<void, std::string> apply_items(LinkSpec& link, const std::vector<Item>& items) {
  for (const bool one_way : {false, true}) {
    for (const Item& item : items) {
      if (item.is("name") || item.is("a") || item.is("b")) continue;
      if (item.way.empty() == one_way) continue;
      if (one_way && item.way != "ab" && item.way != "ba")
        return tl::unexpected(item.key + "." + item.way + ": must be " + item.key + ".ab or " +
                              item.key + ".ba");
      for (const auto& [way, settings] : {std::pair("ab", &link.ab), std::pair("ba", &link.ba)}) {
        if (one_way && item.way != way) continue;
        const auto applied = apply_change(*settings, item.key + item.rest);
        if (!applied) return tl::unexpected(applied.error());
        *settings = *applied;
      }
    }
  }
  return {};
}

}  // namespace

tl::expected<Settings, std::string> apply_change(Settings settings, const std::string& change) {
  if (change == "up" || change == "down") {
    settings.up = change == "up";
    return settings;
  }
  const size_t equals = std::min(change.find('='), change.size());
  const std::string key = change.substr(0, equals);
  const std::string value = change.substr(std::min(equals + 1, change.size()));
  const auto wrong = [&](const std::string& expected) {
    return tl::unexpected(key + " = \"" + value + "\": must be " + expected);
  };
  for (const auto& [name, place] :
       {std::pair("delay", &settings.delay_ns), std::pair("jitter", &settings.jitter_ns),
        std::pair("queue", &settings.queue_ns)}) {
    if (key != name) continue;
    const auto ns = parse_quantity(value, kTimes, 0, 60e9);
    if (!ns) return wrong("a time from 0ms to 60s, such as 10ms");
    *place = static_cast<uint64_t>(*ns);
    return settings;
  }
  if (key == "rate") {
    const auto bps = parse_quantity(value, kRates, 1e3, 1e11);
    if (!bps) return wrong("a rate from 1kbit/s to 100Gbit/s, such as 100Mbit/s");
    settings.rate_bps = static_cast<uint64_t>(*bps);
    return settings;
  }
  if (key == "loss") {
    const auto percent = parse_quantity(value, kPercents, 0, 100);
    if (!percent) return wrong("a percentage from 0% to 100%, such as 1%");
    settings.loss_percent = *percent;
    return settings;
  }
  if (key == "reorder") {
    if (value != "true" && value != "false") return wrong("true or false");
    settings.reorder = value == "true";
    return settings;
  }
  return tl::unexpected("\"" + change + "\": must be up, down, or one of rate=, delay=, jitter=, " +
                        "loss=, queue=, reorder=");
}

tl::expected<LinkSpec, std::string> parse_link(const std::string& text) {
  const std::string where = "link \"" + text + "\": ";
  const std::vector<Item> items = parse_items(text);
  LinkSpec link;
  std::set<std::string> seen;
  for (const Item& item : items) {
    if (!seen.insert(item.key + "." + item.way).second)
      return tl::unexpected(where + item.key + ": is given twice");
    if (item.is("name")) link.name = item.value();
    if (item.is("a")) link.a = item.value();
    if (item.is("b")) link.b = item.value();
  }
  for (const auto& [key, value] :
       {std::pair("name", &link.name), std::pair("a", &link.a), std::pair("b", &link.b)}) {
    if (!is_name(*value))
      return tl::unexpected(where + key + " = \"" + *value + "\": must be a name without spaces");
  }
  if (const auto applied = apply_items(link, items); !applied)
    return tl::unexpected(where + applied.error());
  return link;
}

tl::expected<std::vector<LinkSpec>, std::string> parse_links(
    const std::vector<std::string>& texts) {
  std::vector<LinkSpec> links;
  std::set<std::string> names, interfaces;
  for (const std::string& text : texts) {
    auto link = parse_link(text);
    if (!link) return tl::unexpected(link.error());
    if (!names.insert(link->name).second)
      return tl::unexpected("link " + link->name + ": name: another link has it");
    for (const auto& [key, interface] : {std::pair("a", &link->a), std::pair("b", &link->b)}) {
      if (!interfaces.insert(*interface).second)
        return tl::unexpected("link " + link->name + ": " + key + " = \"" + *interface +
                              "\": is the end of a link already");
    }
    links.push_back(std::move(*link));
  }
  return links;
}

}  // namespace anabranch::linkemu
