// SPDX-License-Identifier: BSD-3-Clause
// What of a configuration that was read again may change while the gateway runs, and what needs a
// restart. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/config.h"

namespace anabranch::control {

// Each key of a configuration file by its place, with its value: "shop.bandwidth",
// "uplink.fibre.rate_up", "peer.path[0].address". Tables of a list that have a name are known by
// it, so that their order does not matter.
using ConfigFields = std::map<std::string, std::string>;
// `text` is one that parse_config() takes.
ConfigFields fields_of(std::string_view text);

// In the order of their names: what was added, changed or taken out.
struct ConfigChanges {
  std::vector<std::string> applied, need_restart;
};
ConfigChanges changes_between(const ConfigFields& before, const ConfigFields& after);

// Takes over what changes_between() calls applied; all else of `running` stays.
void apply_changes(Config& running, const Config& read_again);

}  // namespace anabranch::control
