// SPDX-License-Identifier: BSD-3-Clause
// The example configuration the tests start from: what tools/quickstart runs.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace anabranch::control {

inline std::string example(const std::string& name) {
  return ANABRANCH_SOURCE_ROOT "/tools/quickstart.d/" + name;
}

inline std::string text_of(const std::string& file) {
  std::ifstream in(file);
  EXPECT_TRUE(in) << file;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << "there is no " << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

}  // namespace anabranch::control
