// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/meter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kMagic = 0x616e61627264746dULL;
constexpr uint64_t kLayout = uint64_t{1} << 48 | sizeof(MeterRegion);
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

}  // namespace

tl::expected<Meters, std::string> Meters::open(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return tl::unexpected(failed("cannot be opened", file));
  struct stat status {};
  fstat(fd, &status);
  // A file shorter than a region was never finished, so nothing was counted in it.
  const bool sized = static_cast<size_t>(status.st_size) == sizeof(MeterRegion);
  if (status.st_size > 0 && !sized) {
    close(fd);
    return tl::unexpected(
        "meters " + file + ": has " + std::to_string(status.st_size) + " octets, expected " +
        std::to_string(sizeof(MeterRegion)) +
        ": made by another version; end that version's services first, then remove it");
  }
  if (!sized && ftruncate(fd, sizeof(MeterRegion)) != 0) {
    const auto error = failed("cannot be sized", file);
    close(fd);
    return tl::unexpected(error);
  }
  // Allocated now: a full tmpfs must be an error here and not a SIGBUS in the worker.
  if (const int error = posix_fallocate(fd, 0, sizeof(MeterRegion)); error != 0) {
    close(fd);
    return tl::unexpected("meters " + file + ": no room: " + std::strerror(error));
  }
  void* memory = mmap(nullptr, sizeof(MeterRegion), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) return tl::unexpected(failed("cannot be mapped", file));
  auto* region = static_cast<MeterRegion*>(memory);
  const bool fresh = region->magic == 0;
  if (!fresh && (region->magic != kMagic || region->layout != kLayout)) {
    munmap(memory, sizeof(MeterRegion));
    return tl::unexpected("meters " + file + ": not a meter region of this version; move it away");
  }
  if (fresh) {
    region->layout = kLayout;
    region->id = random_id();
    region->clean = 1;
    region->magic = kMagic;  // last: until here the region counts as unfinished
  }
  return Meters(region, fresh);
}

Meters::Meters(MeterRegion* region, bool fresh)
    : region_(region), fresh_(fresh), unclean_(!fresh && region->clean == 0) {}

Meters::Meters(Meters&& other) noexcept
    : region_(other.region_), fresh_(other.fresh_), unclean_(other.unclean_) {
  other.region_ = nullptr;
}

Meters& Meters::operator=(Meters&& other) noexcept {
  std::swap(region_, other.region_);
  std::swap(fresh_, other.fresh_);
  std::swap(unclean_, other.unclean_);
  return *this;
}

Meters::~Meters() {
  if (region_ != nullptr) munmap(region_, sizeof(MeterRegion));
}

}  // namespace anabranch::dataplane
