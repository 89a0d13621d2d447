// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/meter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kMagic = 0x616e61627264746dULL;
constexpr uint64_t kLayout = uint64_t{1} << 48 | MeterRegion::size_for(1);
static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(sizeof(MeterCell) == 16);

std::string failed(const std::string& what, const std::string& file) {
  return "meters " + file + ": " + what + ": " + std::strerror(errno);
}

uint64_t random_id() {
  uint64_t id = 0;
  while (id == 0) {
    if (getrandom(&id, sizeof id, 0) != sizeof id) id = 0;
  }
  return id;
}

// 0: it is none of a region.
size_t workers_of(size_t file_size) {
  for (size_t workers = 1; workers <= kWorkersMax; ++workers) {
    if (file_size == MeterRegion::size_for(workers)) return workers;
  }
  return 0;
}

}  // namespace

tl::expected<Meters, std::string> Meters::open(const std::string& file, size_t workers) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return tl::unexpected(failed("cannot be opened", file));
  struct stat status {};
  fstat(fd, &status);
  const size_t before = workers_of(static_cast<size_t>(status.st_size));
  if (status.st_size > 0 && before == 0) {
    close(fd);
    return tl::unexpected(
        "meters " + file + ": has " + std::to_string(status.st_size) + " octets, expected " +
        std::to_string(MeterRegion::size_for(workers)) +
        ": made by another version; end that version's services first, then remove it");
  }
  workers = std::max(workers, before);
  const size_t size = MeterRegion::size_for(workers);
  if (workers != before && ftruncate(fd, static_cast<off_t>(size)) != 0) {
    const auto error = failed("cannot be sized", file);
    close(fd);
    return tl::unexpected(error);
  }
  // Allocated now: a full tmpfs must be an error here and not a SIGBUS in the worker.
  if (const int error = posix_fallocate(fd, 0, static_cast<off_t>(size)); error != 0) {
    close(fd);
    return tl::unexpected("meters " + file + ": no room: " + std::strerror(error));
  }
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) return tl::unexpected(failed("cannot be mapped", file));
  auto* region = static_cast<MeterRegion*>(memory);
  const bool fresh = region->magic == 0;
  if (!fresh && (region->magic != kMagic || region->layout != kLayout)) {
    munmap(memory, size);
    return tl::unexpected("meters " + file + ": not a meter region of this version; move it away");
  }
  if (fresh) {
    region->layout = kLayout;
    region->id = random_id();
    region->clean = 1;
    region->magic = kMagic;  // last: until here the region counts as unfinished
  }
  return Meters(region, workers, fresh);
}

Meters::Meters(MeterRegion* region, size_t workers, bool fresh)
    : region_(region), workers_(workers), fresh_(fresh), unclean_(!fresh && region->clean == 0) {}

Meters::Meters(Meters&& other) noexcept
    : region_(other.region_),
      workers_(other.workers_),
      fresh_(other.fresh_),
      unclean_(other.unclean_) {
  other.region_ = nullptr;
}

Meters& Meters::operator=(Meters&& other) noexcept {
  std::swap(region_, other.region_);
  std::swap(workers_, other.workers_);
  std::swap(fresh_, other.fresh_);
  std::swap(unclean_, other.unclean_);
  return *this;
}

Meters::~Meters() {
  if (region_ != nullptr) munmap(region_, MeterRegion::size_for(workers_));
}

}  // namespace anabranch::dataplane
