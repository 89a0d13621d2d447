// SPDX-License-Identifier: BSD-3-Clause
// What the commands over journals and ledgers share: how they end, and what they read.
#pragma once

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/document_reader.h"
#include "billing/ledger.h"
#include "billing/period.h"

namespace anabranch::tools {

inline constexpr int kRefused = 1, kUnreadable = 3;

[[noreturn]] inline void fail(int status, const std::string& why) {
  fmt::print(stderr, "anabranch: {}\n", why);
  std::exit(status);
}

template <typename T>
T valid(tl::expected<T, std::string> answer) {
  if (!answer) fail(kRefused, answer.error());
  return std::move(*answer);
}
template <typename T>
T valid(billing::Stored<T> answer) {
  if (!answer) fail(kUnreadable, answer.error().text);
  if constexpr (!std::is_void_v<T>) return std::move(*answer);
}

inline nlohmann::json read_json(const std::string& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) fail(kUnreadable, file + ": cannot be read");
  nlohmann::json document = nlohmann::json::parse(text.str(), nullptr, false);
  if (document.is_discarded()) fail(kRefused, file + ": is not JSON");
  return document;
}

// A document of a file; each mistake is a line, with the file and the field.
template <typename Parse>
auto read_document(const std::string& file, Parse parse) {
  auto parsed = parse(read_json(file));
  if (!parsed) {
    std::string mistakes;
    for (const billing::DocumentError& e : parsed.error())
      mistakes += (mistakes.empty() ? "" : "\n") + file + ": " + e.pointer + ": " + e.detail;
    fail(kRefused, mistakes);
  }
  return std::move(*parsed);
}

inline billing::CivilDay day_of_option(const std::string& option, const std::string& text) {
  const auto day = billing::parse_day(text);
  if (!day) throw CLI::ValidationError(option, day.error());
  return *day;
}

inline void print_json(const nlohmann::json& document) {
  fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

inline std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, " ");
  return text;
}

// Commands that need a ledger (bill_ledger.cc).
void add_bill_ledger(CLI::App& bill, const bool& as_json);
// … that are about payments (bill_pay.cc).
void add_bill_pay(CLI::App& bill, const bool& as_json);
// What is open of a client, by the ledger's documents.
int preview_open(const std::string& ledger, const std::string& client,
                 const std::vector<std::string>& journals, bool as_json);

}  // namespace anabranch::tools
