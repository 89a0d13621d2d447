// SPDX-License-Identifier: BSD-3-Clause
#include "billing/html_text.h"

#include "billing/printable.h"

namespace anabranch::billing {

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_isolated(std::string_view text) {
  return "<bdi>" + html_escaped(text) + "</bdi>";
}

}  // namespace anabranch::billing
