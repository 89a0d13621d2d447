// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/meter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kMagic = 0x616e61627264746dULL;
constexpr uint64_t kLayout = uint64_t{2} << 48 | MeterRegion::size_for(1);
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

// Memory for the slots of each worker. Taken before it is used: a full tmpfs must be an error here
// and not a SIGBUS in the worker.
int allocate(int fd, size_t workers, uint64_t slots) {
  int error = posix_fallocate(fd, 0, offsetof(MeterRegion, workers));
  for (size_t worker = 0; worker < workers && error == 0; ++worker) {
    const size_t begin = offsetof(MeterRegion, workers) + worker * sizeof(WorkerMeters);
    error = posix_fallocate(fd, static_cast<off_t>(begin),
                            static_cast<off_t>(slots * sizeof(ServiceMeters)));
  }
  return error;
}

std::string no_room(const std::string& file, uint64_t slots, int error) {
  return "meters " + file + ": no room for " + std::to_string(slots - 1) +
         " services: " + std::strerror(error);
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace

tl::expected<Meters, std::string> Meters::open(const std::string& file, size_t workers) {
  File fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (fd.get() < 0) return tl::unexpected(failed("cannot be opened", file));
  struct stat status {};
  fstat(fd.get(), &status);
  const size_t before = workers_of(static_cast<size_t>(status.st_size));
  if (status.st_size > 0 && before == 0) {
    return tl::unexpected(
        "meters " + file + ": has " + std::to_string(status.st_size) + " octets, expected " +
        std::to_string(MeterRegion::size_for(workers)) +
        ": made by another version; end that version's services first, then remove it");
  }
  workers = std::max(workers, before);
  const size_t size = MeterRegion::size_for(workers);
  if (workers != before && ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    return tl::unexpected(failed("cannot be sized", file));
  if (const int error = allocate(fd.get(), workers, kSlotsLeast); error != 0)
    return tl::unexpected(no_room(file, kSlotsLeast, error));
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
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
    region->slots = kSlotsLeast;
    region->magic = kMagic;  // last: until here the region counts as unfinished
  }
  Meters meters(fd.release(), file, region, workers, fresh);
  // Workers that are new have none yet for the slots that others counted in.
  if (const auto room = meters.make_room(static_cast<uint16_t>(region->slots.load())); !room)
    return tl::unexpected(room.error());
  return meters;
}

tl::expected<void, std::string> Meters::make_room(uint16_t slots) {
  if (slots > kServicesMax) {
    return tl::unexpected("all " + std::to_string(kServicesMax - 1) + " services are in use");
  }
  if (const int error = allocate(fd_, workers_, slots); error != 0)
    return tl::unexpected(no_room(file_, slots, error));
  if (region_->slots < slots) region_->slots = slots;
  return {};
}

Meters::Meters(int fd, std::string file, MeterRegion* region, size_t workers, bool fresh)
    : fd_(fd),
      file_(std::move(file)),
      region_(region),
      workers_(workers),
      fresh_(fresh),
      unclean_(!fresh && region->clean == 0) {}

Meters::Meters(Meters&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      file_(std::move(other.file_)),
      region_(std::exchange(other.region_, nullptr)),
      workers_(other.workers_),
      fresh_(other.fresh_),
      unclean_(other.unclean_) {}

Meters& Meters::operator=(Meters&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(file_, other.file_);
  std::swap(region_, other.region_);
  std::swap(workers_, other.workers_);
  std::swap(fresh_, other.fresh_);
  std::swap(unclean_, other.unclean_);
  return *this;
}

Meters::~Meters() {
  if (region_ != nullptr) munmap(region_, MeterRegion::size_for(workers_));
  if (fd_ >= 0) close(fd_);
}

}  // namespace anabranch::dataplane
