// SPDX-License-Identifier: BSD-3-Clause
// Files of a folder that are only ever appended to, of which the oldest are removed. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace anabranch::control {

struct FileRetention {
  uint64_t file_octets = 16u << 20;   // about; then another begins
  uint64_t keep_octets = 512u << 20;  // of all files; 0: no limit
  uint32_t keep_days = 400;           // since a file was last written; 0: for ever
};

// All of a folder with that extension (".jsonl"), in the order of their names.
std::vector<std::string> files_of_kind(const std::string& folder, std::string_view extension);

// One day (UTC) of the file at most.
class AppendedFile {
 public:
  ~AppendedFile() { close(); }
  AppendedFile() = default;
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;

  // A new one; or one that is there, to be gone on with.
  tl::expected<void, std::string> make(const std::string& file, int64_t now_ns);
  tl::expected<void, std::string> go_on(const std::string& file);
  bool is_open() const { return fd_ >= 0; }
  bool is_empty() const { return octets_ == 0; }
  // False: so much more belongs into another one.
  bool has_room(uint64_t octets, const FileRetention& retention, int64_t now_ns) const;

  // All of it is in the file afterwards, or nothing of it: it may be tried again.
  tl::expected<void, std::string> append(std::string_view text);
  // To the disk.
  tl::expected<void, std::string> sync();
  // Of those of a folder, but for this one.
  void remove_old(const std::vector<std::string>& files, const FileRetention& retention,
                  int64_t now_ns) const;

 private:
  void close();
  int write_all(std::string_view text) const;

  std::string file_;
  int fd_ = -1;  // -1: another one must be begun
  uint64_t octets_ = 0;
  int64_t day_ = 0;
};

}  // namespace anabranch::control
