// SPDX-License-Identifier: BSD-3-Clause
// The ratings' history on disk: a file of its own, since it is replaced each minute and needs no
// version of the past.
#pragma once

#include <string>

#include "control/rating_history.h"

namespace anabranch::control {

// An empty history where there is no file. The error is a sentence.
tl::expected<RatingHistory, std::string> read_ratings(const std::string& file);
// The whole of it or, on an error, what was there before. Blocks for as long as the disk takes.
tl::expected<void, std::string> write_ratings(const std::string& file, const nlohmann::json& kept);

}  // namespace anabranch::control
