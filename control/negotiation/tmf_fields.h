// SPDX-License-Identifier: BSD-3-Clause
// Fields of TMF bodies, each with its JSON pointer for when it is refused. The first mistake ends
// the reading: what a provider says after a lie is not worth a sentence.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "control/negotiation/raw_money.h"
#include "control/negotiation/tmf.h"

namespace anabranch::negotiation {

// Thrown within a reader, and caught by it.
struct Refused {
  Refusal refusal;
};

// An object of a body and where it is.
class Fields {
 public:
  Fields(const nlohmann::json& object, std::string at) : object_(object), at_(std::move(at)) {
    if (!object_.is_object()) throw Refused{{at_, "is no object"}};
  }

  bool has(const char* name) const { return object_.contains(name) && !object_[name].is_null(); }
  std::string at(const std::string& name) const { return at_ + "/" + name; }
  [[noreturn]] void refuse(const std::string& name, const std::string& reason) const {
    throw Refused{{at(name), reason}};
  }

  // Empty where it is missing and not required. At most 256 octets, none of them control
  // characters.
  std::string text(const char* name, bool required = true) const;
  std::optional<int64_t> moment(const char* name, bool required = true) const;
  std::optional<double> number(const char* name) const;
  Fields object(const char* name) const;
  // Each an object; none where it is missing.
  std::vector<Fields> objects(const char* name, size_t most) const;
  Money money(const char* name) const;
  const nlohmann::json& raw(const char* name) const { return object_.at(name); }

 private:
  const nlohmann::json& object_;
  std::string at_;
};

// [{"name": …, "value": …}]: numbers and texts as texts.
std::vector<std::pair<std::string, std::string>> characteristics_of(const Fields& fields,
                                                                    const char* name);
// A characteristic that is a number, not negative; refused where it is none.
std::optional<double> number_of(const std::vector<std::pair<std::string, std::string>>& list,
                                const std::string& name, const Fields& fields);

}  // namespace anabranch::negotiation
