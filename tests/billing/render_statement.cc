// SPDX-License-Identifier: BSD-3-Clause
// Presents statements for statement_render_check.py: a document a line on standard input, and for
// each a line with its text, CSV and HTML as JSON.
#include <iostream>

#include "billing/statement_csv.h"
#include "billing/statement_html.h"
#include "billing/statement_text.h"

using namespace anabranch::billing;
using nlohmann::json;

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const json document = json::parse(line);
    const auto text = statement_text(document), csv = statement_csv(document),
               html = statement_html(document);
    if (text && csv && html)
      std::cout << json{{"text", *text}, {"csv", *csv}, {"html", *html}}.dump() << "\n";
    else
      std::cout << json{{"error", text ? "" : text.error()}}.dump() << "\n";
  }
}
