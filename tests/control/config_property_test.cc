// SPDX-License-Identifier: BSD-3-Clause
// Whatever happens to a configuration file, reading it ends in a configuration or in messages that
// name the file and a line of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <sstream>

#include "control/config.h"
#include "tests/control/example.h"

namespace anabranch::control {
namespace {

class ConfigWith : public testing::Test {
 protected:
  // Judges the text; true when it is in order.
  bool judge(const std::string& text, const std::string& what) {
    const auto config = parse_config(text, "gateway.toml");
    if (config) {
      EXPECT_LE(config->uplinks.size(), 8u) << what;
      EXPECT_FALSE(config->peer.paths.empty()) << what;
      return true;
    }
    const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
    std::istringstream messages(config.error());
    std::string message;
    int told = 0;
    while (std::getline(messages, message)) {
      int line = 0, column = 0, said = 0;
      std::sscanf(message.c_str(), "gateway.toml:%d:%d: %n", &line, &column, &said);
      EXPECT_TRUE(said > 0 && message[said] != '\0') << what << ": " << message;
      if (said == 0) return false;
      EXPECT_GE(line, 1) << what << ": " << message;
      EXPECT_LE(line, lines) << what << ": " << message;
      ++told;
    }
    EXPECT_GT(told, 0) << what;
    return false;
  }

  const std::string text_ = text_of(example("site-a.toml"));
};

TEST_F(ConfigWith, AnyLineMissingIsJudged) {
  int in_order = 0, lines = 0;
  for (size_t at = 0; at < text_.size(); ++lines) {
    const size_t end = text_.find('\n', at) + 1;
    std::string text = text_;
    in_order += judge(text.erase(at, end - at), "without " + text_.substr(at, end - at));
    at = end;
  }
  EXPECT_GT(in_order, 5) << "comments, empty lines and optional keys may go";
  EXPECT_GT(lines - in_order, 25) << "what is required may not";
}

TEST_F(ConfigWith, AnyByteChangedIsJudged) {
  int refused = 0;
  for (size_t at = 0; at < text_.size(); ++at) {
    for (const char other : {'\0', '\n', '"', '#', '=', '[', '9', 'x', '\x80', '\xff'}) {
      std::string text = text_;
      text[at] = other;
      refused += !judge(text, "byte " + std::to_string(at));
    }
  }
  EXPECT_GT(refused, 5000);
}

TEST_F(ConfigWith, AnythingCutOffIsJudged) {
  for (size_t size = 0; size < text_.size(); ++size)
    judge(text_.substr(0, size), "the first " + std::to_string(size));
}

TEST_F(ConfigWith, ManyChangesAreJudged) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string text = text_;
    for (int n = 0; n < 20; ++n) {
      const size_t at = random() % text.size();
      if (random() % 2 == 0)
        text[at] = static_cast<char>(random());
      else
        text.erase(at, random() % 8);
    }
    judge(text, "round " + std::to_string(i));
  }
}

}  // namespace
}  // namespace anabranch::control
