// SPDX-License-Identifier: BSD-3-Clause
#include "control/decision_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace anabranch::control {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kDayNs = 86'400'000'000'000;

tl::unexpected<std::string> file_failure(const std::string& file, const char* what,
                                         int error = errno) {
  return tl::unexpected(file + " cannot be " + what + ": " + std::strerror(error));
}

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
  std::vector<std::string> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

DecisionFiles::DecisionFiles(std::string folder, DecisionRetention retention)
    : folder_(std::move(folder)), retention_(retention) {}

DecisionFiles::~DecisionFiles() {
  close_file();
}

void DecisionFiles::close_file() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

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
      fd_ = ::open(file->c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
      if (fd_ < 0) return file_failure(*file, "opened");
      struct stat facts {};
      fstat(fd_, &facts);
      file_ = *file;
      octets_ = text.size();
      day_ = facts.st_mtim.tv_sec / 86'400;
    }
    if (const auto end = last_record(text)) {
      end_ = *end;
      break;
    }
  }
  remove_old(now_ns);
  return {};
}

tl::expected<void, std::string> DecisionFiles::begin_file(int64_t now_ns) {
  close_file();
  const std::string file = fmt::format("{}/{:08}.jsonl", folder_, newest_ + 1);
  fd_ = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd_ < 0) return file_failure(file, "made");
  ++newest_;
  file_ = file;
  octets_ = 0;
  day_ = now_ns / kDayNs;
  remove_old(now_ns);
  return {};
}

// 0, or what is wrong.
int DecisionFiles::write_all(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t done = ::write(fd_, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return done < 0 ? errno : EIO;
    text.remove_prefix(static_cast<size_t>(done));
  }
  return 0;
}

tl::expected<void, std::string> DecisionFiles::append(const RecordLine& line, int64_t now_ns) {
  const bool is_full = octets_ > 0 && octets_ + line.text.size() > retention_.file_octets;
  if (fd_ < 0 || is_full || (octets_ > 0 && day_ != now_ns / kDayNs)) {
    if (auto begun = begin_file(now_ns); !begun) return begun;
  }
  if (const int error = write_all(line.text); error != 0) {
    const bool is_full_disk = error == ENOSPC || error == EDQUOT;
    // What a full disk took of it is taken back; behind what cannot be, a new file begins.
    if (ftruncate(fd_, static_cast<off_t>(octets_)) != 0 || !is_full_disk) close_file();
    return file_failure(file_, "written to", error);
  }
  octets_ += line.text.size();
  end_ = line.end;
  return {};
}

tl::expected<void, std::string> DecisionFiles::sync() {
  if (fd_ < 0 || fdatasync(fd_) == 0) return {};
  auto failed = file_failure(file_, "brought to the disk");
  close_file();
  return failed;
}

void DecisionFiles::remove_old(int64_t now_ns) const {
  struct Kept {
    std::string file;
    uint64_t octets = 0;
    int64_t written_s = 0;
  };
  std::vector<Kept> all;
  uint64_t octets = 0;
  for (const std::string& file : decision_files(folder_)) {
    struct stat facts {};
    if (stat(file.c_str(), &facts) != 0) continue;
    all.push_back({file, static_cast<uint64_t>(facts.st_size), facts.st_mtim.tv_sec});
    octets += all.back().octets;
  }
  const int64_t oldest_s = now_ns / 1'000'000'000 - int64_t{retention_.keep_days} * 86'400;
  for (const Kept& kept : all) {
    const bool is_too_much = retention_.keep_octets != 0 && octets > retention_.keep_octets;
    const bool is_old = retention_.keep_days != 0 && kept.written_s < oldest_s;
    if ((!is_too_much && !is_old) || kept.file == file_) return;
    if (unlink(kept.file.c_str()) != 0) return;
    octets -= kept.octets;
  }
}

}  // namespace anabranch::control
