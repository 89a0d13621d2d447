// SPDX-License-Identifier: BSD-3-Clause
// What somebody may have meant by a word that is not known.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace anabranch::control {

// Edits that turn one word into the other (Levenshtein).
inline size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

// "; did you mean \"rate_up\"?", or nothing when no known word is near.
inline std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const std::string* best = nullptr;
  size_t best_distance = 1 + word.size() / 3;
  for (const std::string& k : known) {
    const size_t distance = edit_distance(word, k);
    if (distance > best_distance || (best != nullptr && distance == best_distance)) continue;
    best = &k;
    best_distance = distance;
  }
  return best == nullptr ? std::string() : "; did you mean \"" + *best + "\"?";
}

}  // namespace anabranch::control
