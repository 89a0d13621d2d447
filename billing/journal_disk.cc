// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "billing/journal_format.h"

namespace anabranch::billing {
namespace {

int64_t or_errno(int64_t result) {
  return result < 0 ? -errno : result;
}

class UringQueue : public CommitQueue {
 public:
  UringQueue() : opened_(io_uring_queue_init(8, &ring_, 0)) {
    if (opened_ < 0) return;
    const iovec buffers[] = {
        {memory_.get(), kFrameMax}, {memory_.get() + kFrameMax, kFrameMax}, {check(), kFrameMax}};
    // Refused where RLIMIT_MEMLOCK is low (kernels before 5.12): then they are pinned each time.
    registered_ = io_uring_register_buffers(&ring_, buffers, 3) == 0;
    const int none = -1;
    registered_file_ = io_uring_register_files(&ring_, &none, 1) == 0;
  }
  ~UringQueue() override {
    if (opened_ == 0) io_uring_queue_exit(&ring_);
  }
  UringQueue(const UringQueue&) = delete;
  UringQueue& operator=(const UringQueue&) = delete;

  int opened() const { return opened_; }
  std::span<uint8_t> buffer(unsigned index) override {
    return {memory_.get() + index * kFrameMax, kFrameMax};
  }

  int64_t attach(int fd) override {
    fd_ = fd;
    if (!registered_file_) return 0;
    const int updated = io_uring_register_files_update(&ring_, 0, &fd, 1);
    return updated < 0 ? updated : 0;
  }

  void start(unsigned index, size_t length, uint64_t offset, bool read_back) override {
    written_ = read_ = 0;
    index_ = index;
    length_ = length;
    waiting_ = read_back ? 2 : 1;
    io_uring_sqe* write = io_uring_get_sqe(&ring_);
    const auto octets = static_cast<unsigned>(length);
    if (registered_)
      io_uring_prep_write_fixed(write, file(), buffer(index).data(), octets, offset,
                                static_cast<int>(index));
    else
      io_uring_prep_write(write, file(), buffer(index).data(), octets, offset);
    io_uring_sqe_set_data64(write, 0);
    io_uring_sqe_set_flags(write, flags() | (read_back ? IOSQE_IO_LINK : 0u));
    if (read_back) {
      io_uring_sqe* read = io_uring_get_sqe(&ring_);
      if (registered_)
        io_uring_prep_read_fixed(read, file(), check(), octets, offset, 2);
      else
        io_uring_prep_read(read, file(), check(), octets, offset);
      io_uring_sqe_set_data64(read, 1);
      io_uring_sqe_set_flags(read, flags());
    }
    submitted_ = false;
    submit();
  }

  std::optional<int64_t> finish(bool wait) override {
    while (waiting_ > 0) {
      if (!submitted_ && !submit()) return submit_error_;
      io_uring_cqe* cqe = nullptr;
      const int got = wait ? io_uring_wait_cqe(&ring_, &cqe) : io_uring_peek_cqe(&ring_, &cqe);
      if (got == -EINTR) continue;
      if (got == -EAGAIN) return std::nullopt;
      if (got < 0) return got;
      (io_uring_cqe_get_data64(cqe) == 0 ? written_ : read_) = cqe->res;
      io_uring_cqe_seen(&ring_, cqe);
      if (--waiting_ == 0 && read_back_failed()) return kReadsBackOtherwise;
    }
    return written_;
  }

 private:
  int file() const { return registered_file_ ? 0 : fd_; }
  unsigned flags() const { return registered_file_ ? IOSQE_FIXED_FILE : 0u; }
  uint8_t* check() { return memory_.get() + 2 * kFrameMax; }
  bool submit() {
    const int result = io_uring_submit(&ring_);
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
      submit_error_ = result;
      waiting_ = 0;
      return false;
    }
    submitted_ = result > 0;
    return true;
  }
  // A short read says nothing of the write; what it read does.
  bool read_back_failed() {
    if (read_ < 0 && read_ != -ECANCELED) return true;
    if (read_ <= 0) return false;
    return std::memcmp(buffer(index_).data(), check(), static_cast<size_t>(read_)) != 0;
  }

  io_uring ring_{};
  AlignedBuffer memory_ = aligned_buffer(3 * kFrameMax);
  int opened_;
  bool registered_ = false, registered_file_ = false, submitted_ = true;
  int fd_ = -1;
  int submit_error_ = 0;
  unsigned index_ = 0;
  size_t length_ = 0;
  int waiting_ = 0;
  int64_t written_ = 0, read_ = 0;
};

class RealDisk : public Disk {
 public:
  explicit RealDisk(bool direct) : direct_(direct ? O_DIRECT : 0) {}

  int64_t make_folder(const std::string& folder) override {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    return -error.value();
  }
  int64_t lock(const std::string& name) override {
    const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    const int error = errno;
    ::close(fd);
    return -error;
  }
  int64_t list(const std::string& folder, std::vector<std::string>& names) override {
    DIR* dir = opendir(folder.c_str());
    if (dir == nullptr) return -errno;
    while (const dirent* entry = readdir(dir)) names.emplace_back(entry->d_name);
    closedir(dir);
    return 0;
  }
  int64_t open(const std::string& name, Access access) override {
    const int flags = access == Access::read     ? O_RDONLY
                      : access == Access::append ? O_RDWR | O_DSYNC | direct_
                                                 : O_RDWR | O_CREAT | O_TRUNC | direct_;
    return or_errno(::open(name.c_str(), flags | O_CLOEXEC, 0600));
  }
  void close(int fd) override { ::close(fd); }
  int64_t size(int fd) override {
    struct stat status {};
    return fstat(fd, &status) == 0 ? status.st_size : -errno;
  }
  int64_t allocate(int fd, uint64_t octets) override {
    const int64_t result = or_errno(fallocate(fd, 0, 0, static_cast<off_t>(octets)));
    return result == -EOPNOTSUPP ? 0 : result;
  }
  int64_t read(int fd, std::span<uint8_t> into, uint64_t offset) override {
    return or_errno(pread(fd, into.data(), into.size(), static_cast<off_t>(offset)));
  }
  int64_t write(int fd, std::span<const uint8_t> bytes, uint64_t offset) override {
    return or_errno(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)));
  }
  int64_t sync(int fd) override { return or_errno(fsync(fd)); }
  int64_t rename(const std::string& from, const std::string& to) override {
    return or_errno(::rename(from.c_str(), to.c_str()));
  }
  int64_t link(const std::string& from, const std::string& to) override {
    return or_errno(::link(from.c_str(), to.c_str()));
  }
  int64_t remove(const std::string& name) override { return or_errno(unlink(name.c_str())); }
  int64_t sync_folder(const std::string& folder) override {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    const int64_t result = or_errno(fsync(fd));
    ::close(fd);
    return result;
  }
  std::unique_ptr<CommitQueue> commit_queue(int64_t& error) override {
    auto queue = std::make_unique<UringQueue>();
    error = queue->opened();
    if (error < 0) return nullptr;
    return queue;
  }

 private:
  int direct_;
};

}  // namespace

Disk& real_disk(bool direct) {
  static RealDisk with(true), without(false);
  return direct ? with : without;
}

void FreeAligned::operator()(uint8_t* bytes) const {
  std::free(bytes);
}

AlignedBuffer aligned_buffer(size_t octets) {
  auto* bytes = static_cast<uint8_t*>(std::aligned_alloc(kBlock, octets));
  return AlignedBuffer(bytes);
}

}  // namespace anabranch::billing
