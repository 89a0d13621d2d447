// SPDX-License-Identifier: BSD-3-Clause
// One end of a link: an interface, read through a memory-mapped ring with the kernel's timestamps,
// and written in bursts.
//
// The interfaces and their peers need segmentation and checksum offload off (ethtool -K IF tso off
// gso off gro off tx off), no address, and IPv6 disabled, so that only what is bridged crosses
// them. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <tl/expected.hpp>

namespace anabranch::linkemu {

class PacketSocket {
 public:
  struct Frame {
    uint64_t stamp_ns = 0;            // CLOCK_REALTIME, when the kernel received it
    std::span<const uint8_t> octets;  // valid during the call; with its VLAN tag, when it had one
    uint32_t length = 0;              // before it was cut to what the ring holds
    bool checksum_missing = false;    // the sender left it to hardware that is not there
  };

  // The error: no such interface, or no permission.
  static tl::expected<std::unique_ptr<PacketSocket>, std::string> open(
      const std::string& interface);
  ~PacketSocket();
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  int fd() const { return fd_; }
  const std::string& interface() const { return interface_; }
  // Hands over at most `most` frames that have arrived; how many.
  uint32_t receive(uint32_t most, const std::function<void(const Frame&)>& take);
  // Sends in order; how many the kernel took before it refused one. A veth takes a frame only when
  // its peer had room for it.
  size_t send(std::span<const std::span<const uint8_t>> frames);
  // How many frames the kernel dropped since this was last asked, because the ring was full.
  uint64_t new_drops();
  // What poll() reported as POLLERR, and clears it: 0, or ENETDOWN when the interface went down.
  int take_error();

 private:
  PacketSocket() = default;

  std::string interface_;
  int fd_ = -1;
  uint8_t* ring_ = nullptr;
  uint32_t next_ = 0;
};

}  // namespace anabranch::linkemu
