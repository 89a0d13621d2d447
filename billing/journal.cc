// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "billing/journal_format.h"

namespace anabranch::billing {
namespace {

namespace fs = std::filesystem;

tl::unexpected<std::string> failed(const std::string& what, const std::string& name, int error) {
  return tl::unexpected("journal " + name + ": " + what + ": " + std::strerror(error));
}

uint8_t* aligned(size_t length) {
  return static_cast<uint8_t*>(std::aligned_alloc(kBlock, length));
}

void sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

}  // namespace

struct Journal::Ring {
  io_uring uring{};
  int opened = io_uring_queue_init(8, &uring, 0);
  ~Ring() {
    if (opened == 0) io_uring_queue_exit(&uring);
  }
};

Journal::Journal(const JournalOptions& options)
    : options_(options), block_(aligned(kFrameMax), std::free) {}

Journal::~Journal() {
  if (fd_ >= 0) close(fd_);
  if (lock_fd_ >= 0) close(lock_fd_);
}

tl::expected<std::unique_ptr<Journal>, std::string> Journal::open(const JournalOptions& options) {
  std::unique_ptr<Journal> journal(new Journal(options));
  journal->ring_ = std::make_unique<Ring>();
  if (journal->ring_->opened < 0)
    return failed("io_uring is not available", options.folder, -journal->ring_->opened);
  if (auto locked = journal->lock(); !locked) return tl::unexpected(locked.error());
  if (auto recovered = journal->recover(); !recovered) return tl::unexpected(recovered.error());
  return journal;
}

tl::expected<void, std::string> Journal::lock() {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  const std::string name = options_.folder + "/lock";
  lock_fd_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ < 0) return failed("cannot be made", name, errno);
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return tl::unexpected("journal " + options_.folder + ": in use by another process");
  }
  return {};
}

std::string Journal::segment_name(uint64_t number) const {
  char name[32];
  std::snprintf(name, sizeof name, "/%08llu.journal", static_cast<unsigned long long>(number));
  return options_.folder + name;
}

std::vector<uint64_t> Journal::segment_numbers() const {
  std::vector<uint64_t> numbers;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(options_.folder, none)) {
    if (entry.path().extension() == ".journal") {
      numbers.push_back(std::strtoull(entry.path().stem().c_str(), nullptr, 10));
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// A segment appears under its name only when it is whole: zeroed, on disk.
tl::expected<void, std::string> Journal::open_segment(uint64_t number, bool create) {
  const std::string name = segment_name(number);
  const int flags = O_RDWR | O_DSYNC | O_CLOEXEC | (options_.direct ? O_DIRECT : 0);
  if (!create) {
    const int fd = ::open(name.c_str(), flags);
    if (fd < 0) return failed("cannot be opened", name, errno);
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
    end_.segment = number;
    return {};
  }
  const std::string unfinished = name + ".new";
  const int fd =
      ::open(unfinished.c_str(),
             O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | (options_.direct ? O_DIRECT : 0), 0600);
  if (fd < 0) {
    const int error = errno;
    if (error == EINVAL) {
      return tl::unexpected("journal " + options_.folder +
                            ": this filesystem has no O_DIRECT; put gateway.state_dir on a disk, "
                            "or for development set billing.journal_direct = false");
    }
    return failed("cannot be made", unfinished, error);
  }
  std::unique_ptr<uint8_t, void (*)(void*)> zeros(aligned(kFrameMax), std::free);
  std::memset(zeros.get(), 0, kFrameMax);
  int error = 0;
  for (uint64_t at = 0; at < options_.segment_octets && error == 0;) {
    const size_t length = std::min<uint64_t>(kFrameMax, options_.segment_octets - at);
    const ssize_t n = pwrite(fd, zeros.get(), length, static_cast<off_t>(at));
    if (n <= 0)
      error = n < 0 ? errno : ENOSPC;
    else
      at += static_cast<uint64_t>(n);
  }
  if (error == 0 && (fsync(fd) != 0 || rename(unfinished.c_str(), name.c_str()) != 0))
    error = errno;
  close(fd);
  if (error != 0) {
    unlink(unfinished.c_str());
    return failed("cannot be written", unfinished, error);
  }
  sync_folder(options_.folder);
  end_.offset = 0;
  return open_segment(number, false);
}

void Journal::take(const UsageRecord& record) {
  through_[record.key] = {record.octets_to, record.packets_to, record.wall_to_ns};
}

tl::expected<size_t, std::string> Journal::record(std::span<const Reading> readings,
                                                  int64_t wall_now_ns) {
  std::vector<UsageRecord> records;
  for (const Reading& reading : readings) {
    const auto known = through_.find(reading.key);
    const Through before = known == through_.end() ? Through{0, 0, wall_now_ns} : known->second;
    if (reading.octets < before.octets || reading.packets < before.packets) {
      ++went_backwards_;
      continue;
    }
    if (reading.octets == before.octets && reading.packets == before.packets) continue;
    records.push_back({reading.key, before.octets, reading.octets, before.packets, reading.packets,
                       before.wall_ns, wall_now_ns});
  }
  for (size_t at = 0; at < records.size(); at += kRecordsPerFrame) {
    const auto part =
        std::span(records).subspan(at, std::min(kRecordsPerFrame, records.size() - at));
    if (auto appended = append(part); !appended) return tl::unexpected(appended.error());
    for (const UsageRecord& record : part) take(record);
  }
  return records.size();
}

tl::expected<void, std::string> Journal::append(std::span<const UsageRecord> records) {
  if (end_.offset + frame_length(records.size()) > options_.segment_octets) {
    if (auto opened = open_segment(end_.segment + 1, true); !opened) return opened;
  }
  const size_t length =
      encode_frame({block_.get(), kFrameMax}, end_.next_sequence, end_.previous_crc, records);
  if (auto written = write_block(length, end_.offset); !written) return written;
  FrameHeader header;
  std::memcpy(&header, block_.get(), sizeof header);
  end_.previous_crc = header.records_crc;
  end_.offset += length;
  ++end_.next_sequence;
  return {};
}

tl::expected<void, std::string> Journal::write_block(size_t length, uint64_t offset) {
  size_t done = 0;
  while (done < length) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_->uring);
    io_uring_prep_write(sqe, fd_, block_.get() + done, static_cast<unsigned>(length - done),
                        offset + done);
    io_uring_cqe* cqe = nullptr;
    int result = io_uring_submit_and_wait(&ring_->uring, 1);
    if (result >= 0) result = io_uring_wait_cqe(&ring_->uring, &cqe);
    if (result < 0) return failed("cannot be written", segment_name(end_.segment), -result);
    result = cqe->res;
    io_uring_cqe_seen(&ring_->uring, cqe);
    if (result == -EINTR || result == -EAGAIN) continue;
    if (result <= 0)
      return failed("cannot be written", segment_name(end_.segment),
                    result == 0 ? ENOSPC : -result);
    done += static_cast<size_t>(result);
  }
  return {};
}

}  // namespace anabranch::billing
