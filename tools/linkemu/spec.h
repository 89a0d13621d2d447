// SPDX-License-Identifier: BSD-3-Clause
// What users write about links.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "tools/linkemu/link.h"

namespace linkemu {

struct LinkSpec {
  std::string name, a, b;  // the link and its two interfaces
  Settings ab, ba;         // by direction
};

// "name=fibre,a=fib-a,b=fib-b,rate=100Mbit/s,delay=10ms,queue=100ms,loss.ab=1%": a key with .ab or
// .ba is for that direction only.
tl::expected<LinkSpec, std::string> parse_link(const std::string& text);

// One change: "up", "down", "rate=5Mbit/s", "delay=40ms", "jitter=2ms", "loss=1%", "queue=50ms",
// "reorder=on". The error names the key and what was expected.
tl::expected<Settings, std::string> apply(Settings settings, const std::string& change);

}  // namespace linkemu
