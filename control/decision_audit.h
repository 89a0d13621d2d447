// SPDX-License-Identifier: BSD-3-Clause
// Decides again what is on record, and says where that comes out otherwise, or where the record is
// not what was written. Reads files that a gateway may be writing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/decision_record.h"

namespace anabranch::control {

struct Finding {
  enum class Kind : uint8_t {
    same,     // decided again, the same
    differs,  // decided again, not the same
    spoilt,   // not as it was written, or not understood
    torn,     // the end of a file, behind which the gateway was killed
    missing,  // records are not there that were before this one
  };
  Kind kind = Kind::same;
  std::string file;
  size_t line = 0;                       // from 1
  std::string what;                      // a sentence, but for the same
  std::optional<DecisionRecord> record;  // where it could be read
};
const char* to_string(Finding::Kind kind);

// In order of the files. The error: one of them cannot be read. Records for which `is_wanted` says
// no are checked, and not decided again.
tl::expected<void, std::string> audit(const std::vector<std::string>& files,
                                      const std::function<bool(const DecisionRecord&)>& is_wanted,
                                      const std::function<void(const Finding&)>& tell);

}  // namespace anabranch::control
