// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_format.h"

#include <algorithm>

#include "billing/statement_csv.h"
#include "billing/statement_html.h"
#include "billing/statement_pdf.h"
#include "billing/statement_text.h"
#include "billing/statement_ubl.h"

namespace anabranch::billing {

tl::expected<std::string, std::string> render(const nlohmann::json& statement, Format format) {
  switch (format) {
    case Format::text:
      return statement_text(statement);
    case Format::csv:
      return statement_csv(statement);
    case Format::html:
      return statement_html(statement);
    case Format::pdf:
      return statement_pdf(statement);
    case Format::ubl:
      return statement_ubl(statement);
    case Format::json:
      break;
  }
  return statement.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

const char* extension(Format format) {
  static constexpr const char* kExtensions[] = {".txt", ".json", ".csv", ".html", ".pdf", ".xml"};
  return kExtensions[static_cast<size_t>(format)];
}

const char* media_type(Format format) {
  static constexpr const char* kTypes[] = {"text/plain; charset=utf-8", "application/json",
                                           "text/csv; charset=utf-8",   "text/html; charset=utf-8",
                                           "application/pdf",           "application/xml"};
  return kTypes[static_cast<size_t>(format)];
}

std::optional<Format> format_of(std::string_view name) {
  const auto found = std::find(kFormatNames.begin(), kFormatNames.end(), name);
  if (found == kFormatNames.end()) return std::nullopt;
  return static_cast<Format>(found - kFormatNames.begin());
}

}  // namespace anabranch::billing
