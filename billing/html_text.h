// SPDX-License-Identifier: BSD-3-Clause
// Texts within HTML and SVG. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace anabranch::billing {

// Printable (printable.h), and means nothing within an element or a quoted attribute.
std::string html_escaped(std::string_view text);
// As an element whose direction is its own: one in Arabic beside numbers does not reorder them.
std::string html_isolated(std::string_view text);

}  // namespace anabranch::billing
