// SPDX-License-Identifier: BSD-3-Clause
// Texts of operators may hold anything; this is what of them may be shown, and where it breaks.
// Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace anabranch::billing {

enum class Breaks { as_spaces, kept };  // tabs and the ends of lines

// Valid UTF-8 without control characters, and without what turns the direction of the text that
// follows (so no amount can be shown backwards): U+FFFD stands for each, and for each octet that is
// no UTF-8.
std::string printable(std::string_view text, Breaks breaks = Breaks::as_spaces);

// Columns of a terminal. Of printable texts, as below.
size_t displayed_width(std::string_view text);
// Lines of at most so many columns (at least 2), at least one line; broken at spaces, and within
// words that are longer. U+00A0 does not break, and is written as a space.
std::vector<std::string> wrapped(std::string_view text, size_t columns);

// The first character; U+FFFD where it is no UTF-8. `text` is not empty.
struct FirstCharacter {
  char32_t code;
  size_t octets;
};
FirstCharacter first_character(std::string_view text);

}  // namespace anabranch::billing
