// SPDX-License-Identifier: BSD-3-Clause
// A statement's days as graphs: octets a day, stacked by provider, sent beside received.
#pragma once

#include <string>

#include "billing/statement_reading.h"

namespace anabranch::billing {

// A figure of HTML with two SVG graphs, their legend, and the same as a table; empty where no day
// is of the period or none has usage. The style sheet gives the colours: classes c0 to c7.
std::string usage_figure(const ReadStatement& s);

}  // namespace anabranch::billing
