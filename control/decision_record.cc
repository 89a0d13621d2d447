// SPDX-License-Identifier: BSD-3-Clause
#include "control/decision_record.h"

#include <fmt/format.h>

#include "billing/sha256.h"
#include "control/documents.h"
#include "control/json_reader.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

constexpr std::string_view kBeforeHash = R"({"sha256":")", kBehindHash = R"(","record":)";
constexpr size_t kHashLength = 64;
constexpr size_t kTextAt = kBeforeHash.size() + kHashLength + kBehindHash.size();

// The hashed text, when the line is of that form.
std::string_view text_in(std::string_view line) {
  const bool has_form = line.size() > kTextAt && line.starts_with(kBeforeHash) &&
                        line.substr(kTextAt - kBehindHash.size()).starts_with(kBehindHash) &&
                        line.ends_with('}');
  return has_form ? line.substr(kTextAt, line.size() - kTextAt - 1) : std::string_view();
}

int64_t instant_of(const std::string& text) {
  if (text.size() != sizeof "2026-11-27T04:36:37.042Z" - 1) return 0;
  const auto seconds = parse_instant(text.substr(0, 19) + "Z");
  return seconds ? (*seconds * 1000 + std::atoi(text.c_str() + 20)) * 1'000'000 : 0;
}

}  // namespace

std::string millisecond_text(int64_t unix_ns) {
  const int64_t ms = unix_ns / 1'000'000;
  std::string text = instant_text(ms / 1000);
  text.pop_back();
  return text + fmt::format(".{:03}Z", ms % 1000);
}

RecordLine line_of(const DecisionRecord& r) {
  const json record{
      {"number", r.number},   {"previous", r.previous}, {"at", millisecond_text(r.at_ns)},
      {"gateway", r.gateway}, {"services", r.services}, {"decision", r.decision}};
  const std::string text = record.dump(-1, ' ', false, json::error_handler_t::replace);
  const std::string hash = billing::sha256(text);
  return {fmt::format("{}{}{}{}}}\n", kBeforeHash, hash, kBehindHash, text), {r.number, hash}};
}

tl::expected<RecordRead, std::string> read_record(std::string_view line) {
  const std::string_view text = text_in(line);
  if (text.empty()) return tl::unexpected<std::string>("is no record of a decision");
  RecordRead read;
  read.sha256 = line.substr(kBeforeHash.size(), kHashLength);
  if (billing::sha256(text) != read.sha256)
    return tl::unexpected<std::string>("is not as it was written: its hash is another");
  const auto parsed = parse_json(text);
  if (!parsed) return tl::unexpected(parsed.error());
  try {
    DecisionRecord& r = read.record;
    r.number = parsed->at("number").get<uint64_t>();
    r.previous = parsed->at("previous").get<std::string>();
    r.at_ns = instant_of(parsed->at("at").get<std::string>());
    r.gateway = parsed->at("gateway").get<std::string>();
    r.services = parsed->at("services").get<std::vector<uint64_t>>();
    r.decision = parsed->at("decision");
  } catch (const json::exception& e) {
    return tl::unexpected(std::string("is not understood: ") + e.what());
  }
  return read;
}

}  // namespace anabranch::control
