// SPDX-License-Identifier: BSD-3-Clause
// What may be the number of a payment card: 13 to 19 digits that pass Luhn's check (ISO/IEC 7812),
// alone or in groups of three to seven with one space or one hyphen between them. Such a number is
// kept nowhere: what comes with one is refused, what is told of it is without it. Cost: one pass.
#pragma once

#include <string>
#include <string_view>

namespace anabranch::billing {

bool has_card_number(std::string_view text);
// Each of them as "[card number]".
std::string without_card_numbers(std::string_view text);

inline constexpr const char* kCardNumberRefused =
    "looks like the number of a card, which is kept nowhere; expected the processor's token of it";

}  // namespace anabranch::billing
