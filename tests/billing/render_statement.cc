// SPDX-License-Identifier: BSD-3-Clause
// Presents statements for statement_render_check.py and others: a document a line on standard
// input, and for each a line with its formats as JSON, the PDF in hexadecimal digits. What cannot
// be presented is null, with the error by its format's name.
//
//   render_statement [FORMAT…]     by default text csv html
#include <iostream>

#include "billing/statement_format.h"

using namespace anabranch::billing;
using nlohmann::json;

namespace {

std::string in_hex(const std::string& octets) {
  std::string out;
  for (const char c : octets) {
    for (const int shift : {4, 0})
      out += "0123456789abcdef"[(static_cast<unsigned char>(c) >> shift) & 15];
  }
  return out;
}

}  // namespace

int main(int count, char** words) {
  std::vector<std::string> names(words + 1, words + count);
  if (names.empty()) names = {"text", "csv", "html"};
  for (std::string line; std::getline(std::cin, line);) {
    const json document = json::parse(line);
    json out, errors = json::object();
    for (const std::string& name : names) {
      const Format format = format_of(name).value();
      const auto made = render(document, format);
      if (made)
        out[name] = format == Format::pdf ? in_hex(*made) : *made;
      else
        errors[name] = made.error();
    }
    if (!errors.empty()) out["error"] = errors;
    std::cout << out.dump() << "\n";
  }
}
