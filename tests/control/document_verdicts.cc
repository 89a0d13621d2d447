// SPDX-License-Identifier: BSD-3-Clause
// Reads documents, a line each: KIND TAB JSON. Prints of each what its parser says, a line each: a
// JSON list of mistakes.
#include <iostream>

#include "control/document_store.h"

int main() {
  using nlohmann::json;
  std::string line;
  while (std::getline(std::cin, line)) {
    const size_t tab = line.find('\t');
    json mistakes = json::array();
    for (const auto& e : anabranch::control::DocumentStore::mistakes(
             line.substr(0, tab), json::parse(line.substr(tab + 1))))
      mistakes.push_back({{"pointer", e.pointer}, {"detail", e.detail}});
    std::cout << mistakes.dump(-1, ' ', true) << "\n";
  }
}
