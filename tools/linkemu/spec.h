// SPDX-License-Identifier: BSD-3-Clause
// What users write about links.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "tools/linkemu/direction.h"

namespace anabranch::linkemu {

struct LinkSpec {
  std::string name;
  std::string a, b;  // the interfaces of its ends
  Settings ab, ba;   // by direction
};

// One change, with its unit: "up", "down", "rate=5Mbit/s", "delay=40ms", "jitter=2ms", "loss=1%",
// "queue=50ms", "reorder=true". The error names the key, the value and what was expected.
tl::expected<Settings, std::string> apply_change(Settings settings, const std::string& change);

// "name=fibre,a=fib-a,b=fib-b,rate=100Mbit/s,delay=10ms,loss.ab=1%": name, ends and changes. A key
// with .ab or .ba holds for that direction, and before the same key without.
tl::expected<LinkSpec, std::string> parse_link(const std::string& text);

// All links, of which no two may share a name or an interface.
tl::expected<std::vector<LinkSpec>, std::string> parse_links(const std::vector<std::string>& texts);

}  // namespace anabranch::linkemu
