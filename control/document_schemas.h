// SPDX-License-Identifier: BSD-3-Clause
// A JSON Schema (2020-12) for each kind of document, each with an example. What a schema refuses is
// refused by the document's parser too; the parser knows more, such as currencies and time zones.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace anabranch::control {

// "Client" for "clients"; nullptr: there is no such kind.
const char* schema_name(const std::string& kind);
// Stands alone. `kind` is one of kDocumentKinds.
nlohmann::json document_schema(const std::string& kind);

}  // namespace anabranch::control
