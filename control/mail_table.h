// SPDX-License-Identifier: BSD-3-Clause
// The table [billing.mail] of a configuration: how statements are mailed.
#pragma once

#include <optional>
#include <string>

#include "billing/mail_options.h"
#include "control/table_reader.h"

namespace anabranch::control {

// `billing` is the table it is in; `file`: the configuration, beside which others are named.
std::optional<billing::MailOptions> read_mail(TableReader& billing, const std::string& file);

}  // namespace anabranch::control
