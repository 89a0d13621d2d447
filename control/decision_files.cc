// SPDX-License-Identifier: BSD-3-Clause
#include "control/decision_files.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace anabranch::control {
namespace {

namespace fs = std::filesystem;

std::string text_of_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The last whole record of a file's text.
std::optional<ChainEnd> last_record(std::string_view text) {
  while (!text.empty()) {
    const size_t feed = text.rfind('\n');
    if (feed == std::string_view::npos) return std::nullopt;
    const size_t before = feed == 0 ? std::string_view::npos : text.rfind('\n', feed - 1);
    const size_t begin = before == std::string_view::npos ? 0 : before + 1;
    if (const auto read = read_record(text.substr(begin, feed - begin)))
      return ChainEnd{read->record.number, read->sha256};
    text = text.substr(0, begin);
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> decision_files(const std::string& folder) {
  return files_of_kind(folder, ".jsonl");
}

DecisionFiles::DecisionFiles(std::string folder, FileRetention retention)
    : folder_(std::move(folder)), retention_(retention) {}

tl::expected<void, std::string> DecisionFiles::open(int64_t now_ns) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) return tl::unexpected(folder_ + " cannot be made: " + error.message());
  const auto files = decision_files(folder_);
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    const std::string text = text_of_file(*file);
    const bool is_newest = file == files.rbegin();
    if (is_newest) newest_ = std::strtoull(fs::path(*file).stem().c_str(), nullptr, 10);
    // Behind a line that is torn nothing is written: it shall stay told from a spoilt one.
    if (is_newest && text.ends_with('\n')) {
      if (auto opened = file_.go_on(*file); !opened) return opened;
    }
    if (const auto end = last_record(text)) {
      end_ = *end;
      break;
    }
  }
  file_.remove_old(files, retention_, now_ns);
  return {};
}

tl::expected<void, std::string> DecisionFiles::begin_file(int64_t now_ns) {
  auto made = file_.make(fmt::format("{}/{:08}.jsonl", folder_, newest_ + 1), now_ns);
  if (!made) return made;
  ++newest_;
  file_.remove_old(decision_files(folder_), retention_, now_ns);
  return {};
}

tl::expected<void, std::string> DecisionFiles::append(const RecordLine& line, int64_t now_ns) {
  if (!file_.is_open() || !file_.has_room(line.text.size(), retention_, now_ns)) {
    if (auto begun = begin_file(now_ns); !begun) return begun;
  }
  auto written = file_.append(line.text);
  if (written) end_ = line.end;
  return written;
}

}  // namespace anabranch::control
