// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_format.h"

#include "billing/statement_csv.h"
#include "billing/statement_html.h"
#include "billing/statement_text.h"

namespace anabranch::billing {

tl::expected<std::string, std::string> render(const nlohmann::json& statement, Format format) {
  switch (format) {
    case Format::text:
      return statement_text(statement);
    case Format::csv:
      return statement_csv(statement);
    case Format::html:
      return statement_html(statement);
    case Format::json:
      break;
  }
  return statement.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

const char* extension(Format format) {
  static constexpr const char* kExtensions[] = {".txt", ".json", ".csv", ".html"};
  return kExtensions[static_cast<size_t>(format)];
}

}  // namespace anabranch::billing
