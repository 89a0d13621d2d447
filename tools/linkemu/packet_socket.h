// SPDX-License-Identifier: BSD-3-Clause
// One end of a link: an interface, read through a memory-mapped ring with kernel timestamps, and
// written in bursts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace linkemu {

class PacketSocket {
 public:
  struct Frame {
    uint64_t stamp_ns = 0;  // CLOCK_REALTIME, when the kernel got it
    std::span<const uint8_t> octets;
    uint32_t length = 0;  // on the wire; more than octets.size(): it did not fit
    bool checksum_missing = false;
  };

  // The error: no such interface, or no permission.
  static tl::expected<std::unique_ptr<PacketSocket>, std::string> open(
      const std::string& interface);
  ~PacketSocket();

  int fd() const { return fd_; }
  const std::string& interface() const { return interface_; }
  // At most `most` frames that have arrived; how many it was.
  uint32_t receive(uint32_t most, const std::function<void(const Frame&)>& take);
  // Sends in order; returns how many the kernel took before it refused one.
  size_t send(std::span<const std::span<const uint8_t>> frames);
  // Frames the kernel dropped because the ring was full, since the start.
  uint64_t ring_drops();

 private:
  PacketSocket() = default;
  std::string interface_;
  int fd_ = -1;
  uint8_t* ring_ = nullptr;
  uint32_t next_ = 0;
  uint64_t drops_ = 0;
};

}  // namespace linkemu
