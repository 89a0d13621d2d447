// SPDX-License-Identifier: BSD-3-Clause
#include "control/appended_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace anabranch::control {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFileDayNs = 86'400'000'000'000;

tl::unexpected<std::string> file_failure(const std::string& file, const char* what,
                                         int error = errno) {
  return tl::unexpected(file + " cannot be " + what + ": " + std::strerror(error));
}

}  // namespace

std::vector<std::string> files_of_kind(const std::string& folder, std::string_view extension) {
  std::vector<std::string> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.path().extension() == extension) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void AppendedFile::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

tl::expected<void, std::string> AppendedFile::make(const std::string& file, int64_t now_ns) {
  close();
  fd_ = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd_ < 0) return file_failure(file, "made");
  file_ = file;
  octets_ = 0;
  day_ = now_ns / kFileDayNs;
  return {};
}

tl::expected<void, std::string> AppendedFile::go_on(const std::string& file) {
  close();
  fd_ = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd_ < 0) return file_failure(file, "opened");
  struct stat facts {};
  fstat(fd_, &facts);
  file_ = file;
  octets_ = static_cast<uint64_t>(facts.st_size);
  day_ = facts.st_mtim.tv_sec / 86'400;
  return {};
}

bool AppendedFile::has_room(uint64_t octets, const FileRetention& retention, int64_t now_ns) const {
  return is_empty() || (octets_ + octets <= retention.file_octets && day_ == now_ns / kFileDayNs);
}

// 0, or what is wrong.
int AppendedFile::write_all(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t done = ::write(fd_, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return done < 0 ? errno : EIO;
    text.remove_prefix(static_cast<size_t>(done));
  }
  return 0;
}

tl::expected<void, std::string> AppendedFile::append(std::string_view text) {
  if (const int error = write_all(text); error != 0) {
    const bool is_full_disk = error == ENOSPC || error == EDQUOT;
    // What a full disk took of it is taken back; behind what cannot be, a new file begins.
    if (ftruncate(fd_, static_cast<off_t>(octets_)) != 0 || !is_full_disk) close();
    return file_failure(file_, "written to", error);
  }
  octets_ += text.size();
  return {};
}

tl::expected<void, std::string> AppendedFile::sync() {
  if (fd_ < 0 || fdatasync(fd_) == 0) return {};
  auto failed = file_failure(file_, "brought to the disk");
  close();
  return failed;
}

void AppendedFile::remove_old(const std::vector<std::string>& files, const FileRetention& retention,
                              int64_t now_ns) const {
  struct Kept {
    std::string file;
    uint64_t octets = 0;
    int64_t written_s = 0;
  };
  std::vector<Kept> all;
  uint64_t octets = 0;
  for (const std::string& file : files) {
    struct stat facts {};
    if (stat(file.c_str(), &facts) != 0) continue;
    all.push_back({file, static_cast<uint64_t>(facts.st_size), facts.st_mtim.tv_sec});
    octets += all.back().octets;
  }
  const int64_t oldest_s = now_ns / 1'000'000'000 - int64_t{retention.keep_days} * 86'400;
  for (const Kept& kept : all) {
    const bool is_too_much = retention.keep_octets != 0 && octets > retention.keep_octets;
    const bool is_old = retention.keep_days != 0 && kept.written_s < oldest_s;
    if ((!is_too_much && !is_old) || kept.file == file_) return;
    if (unlink(kept.file.c_str()) != 0) return;
    octets -= kept.octets;
  }
}

}  // namespace anabranch::control
