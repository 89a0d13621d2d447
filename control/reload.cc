// SPDX-License-Identifier: BSD-3-Clause
#include "control/reload.h"

#include <algorithm>
#include <array>
#include <sstream>

#include <toml++/toml.h>

namespace anabranch::control {
namespace {

constexpr std::array<std::string_view, 3> kLive{"gateway.documents", "shop.bandwidth",
                                                "negotiation.window"};
// Of an uplink: the data plane's tables are made anew with them.
constexpr std::array<std::string_view, 5> kLiveOfUplinks{"rate", "rate_up", "rate_down",
                                                         "link_overhead", "on_order"};

template <size_t Count>
bool is_among(const std::array<std::string_view, Count>& all, std::string_view name) {
  return std::find(all.begin(), all.end(), name) != all.end();
}

bool is_live(std::string_view field) {
  constexpr std::string_view kUplink = "uplink.";
  if (is_among(kLive, field)) return true;
  return field.starts_with(kUplink) && is_among(kLiveOfUplinks, field.substr(field.rfind('.') + 1));
}

void add_fields(const toml::node& node, const std::string& name, ConfigFields& fields) {
  if (const toml::table* table = node.as_table()) {
    for (const auto& [key, value] : *table)
      add_fields(value, (name.empty() ? "" : name + ".") + std::string(key.str()), fields);
    return;
  }
  const toml::array* list = node.as_array();
  if (list == nullptr || !list->is_array_of_tables()) {
    std::ostringstream text;
    node.visit([&](const auto& value) { text << value; });
    fields[name] = text.str();
    return;
  }
  for (size_t i = 0; i < list->size(); ++i) {
    const auto named = (*list)[i].as_table()->at_path("name").value<std::string>();
    add_fields((*list)[i], named ? name + "." + *named : name + "[" + std::to_string(i) + "]",
               fields);
  }
}

}  // namespace

ConfigFields fields_of(std::string_view text) {
  ConfigFields fields;
  add_fields(toml::parse(text), "", fields);
  return fields;
}

ConfigChanges changes_between(const ConfigFields& before, const ConfigFields& after) {
  ConfigChanges changes;
  ConfigFields all = before;
  all.insert(after.begin(), after.end());
  for (const auto& [name, value] : all) {
    const auto was = before.find(name), is = after.find(name);
    if (was != before.end() && is != after.end() && was->second == is->second) continue;
    (is_live(name) ? changes.applied : changes.need_restart).push_back(name);
  }
  return changes;
}

void apply_changes(Config& running, const Config& again) {
  running.documents_dir = again.documents_dir;
  running.shop_bps = again.shop_bps;
  running.order_window_s = again.order_window_s;
  for (UplinkConfig& uplink : running.uplinks) {
    const UplinkConfig* now = again.find_uplink(uplink.name);
    if (now == nullptr) continue;
    uplink.rate_up_bps = now->rate_up_bps;
    uplink.rate_down_bps = now->rate_down_bps;
    uplink.link_overhead = now->link_overhead;
    uplink.on_order = now->on_order;
  }
}

}  // namespace anabranch::control
