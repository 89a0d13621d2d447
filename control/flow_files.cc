// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_files.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <filesystem>

#include "billing/wall_clock.h"

namespace anabranch::control {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIpfixFiles = ".ipfix";
constexpr int64_t kFileSecondNs = 1'000'000'000;

// Of YYYY-MM-DD-NNNNNNNN.ipfix.
uint64_t number_of(const std::string& file) {
  const std::string name = fs::path(file).stem().string();
  return std::strtoull(name.c_str() + std::min(name.size(), name.rfind('-') + 1), nullptr, 10);
}

}  // namespace

FlowFiles::FlowFiles(Options options)
    : folder_(std::move(options.folder)),
      domain_(options.domain),
      retention_(options.retention),
      aside_({.what = "flow records",
              .waiting_max = options.waiting_max,
              .write = [this](const auto& records) { return write(records); },
              .sync = [this] { return file_.sync(); },
              .notice = std::move(options.notice)}) {}

void FlowFiles::put(std::vector<billing::FlowRecord> records) {
  const uint64_t count = records.size();
  aside_.put(std::move(records), count);
}

FlowFiles::Written FlowFiles::write(const std::vector<billing::FlowRecord>& records) {
  const int64_t now_ns = billing::wall_now_ns();
  auto messages = billing::ipfix_flows(domain_, records, billing::kIpfixMessageMax);
  uint64_t octets = 0;
  for (const auto& m : messages) octets += m.octets.size();
  if (!file_.is_open() || !file_.has_room(octets, retention_, now_ns)) {
    if (auto begun = begin_file(now_ns); !begun) return begun;
  }
  return append(std::move(messages), now_ns);
}

FlowFiles::Written FlowFiles::begin_file(int64_t now_ns) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) return tl::unexpected(folder_ + " cannot be made: " + error.message());
  const auto files = files_of_kind(folder_, kIpfixFiles);
  const uint64_t number = files.empty() ? 1 : number_of(files.back()) + 1;
  const std::time_t now_s = now_ns / kFileSecondNs;
  auto made = file_.make(
      fmt::format("{}/{:%Y-%m-%d}-{:08}{}", folder_, fmt::gmtime(now_s), number, kIpfixFiles),
      now_ns);
  if (!made) return made;
  file_.remove_old(files, retention_, now_ns);
  return {};
}

FlowFiles::Written FlowFiles::append(std::vector<billing::IpfixMessage> messages, int64_t now_ns) {
  if (file_.is_empty()) {
    sequence_ = 0;
    messages.insert(messages.begin(),
                    {billing::ipfix_templates(domain_), billing::ipfix_own_elements(domain_)});
  }
  std::string text;
  uint32_t sequence = sequence_;
  for (billing::IpfixMessage& m : messages) {
    billing::stamp(m, static_cast<uint32_t>(now_ns / kFileSecondNs), sequence);
    sequence += m.data_records;
    text += m.octets;
  }
  auto written = file_.append(text);
  if (written) sequence_ = sequence;
  return written;
}

}  // namespace anabranch::control
