// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace linkemu {
namespace {

// 50 ms of 1 Gbit/s at 1500 octets while the process is not scheduled.
constexpr uint32_t kFrames = 4096;
constexpr uint32_t kFrameSize = 2048;
constexpr uint32_t kBlockSize = 1u << 16;
constexpr size_t kBurst = 64;
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

template <typename T>
bool set(int fd, int option, const T& value) {
  return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
}

}  // namespace

tl::expected<std::unique_ptr<PacketSocket>, std::string> PacketSocket::open(
    const std::string& interface) {
  std::unique_ptr<PacketSocket> s(new PacketSocket);
  s->interface_ = interface;
  const auto failed = [&](const char* what) {
    return tl::unexpected("interface " + interface + ": " + what + ": " + std::strerror(errno));
  };
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return failed("cannot be found in this network namespace");
  // Protocol 0 until the ring stands: nothing is queued that would have to be sorted out.
  s->fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (s->fd_ < 0) return failed("no packet socket");
  const tpacket_req ring{kBlockSize, kFrames * kFrameSize / kBlockSize, kFrameSize, kFrames};
  packet_mreq all{};
  all.mr_ifindex = static_cast<int>(index);
  all.mr_type = PACKET_MR_PROMISC;
  if (!set(s->fd_, PACKET_VERSION, int{TPACKET_V2}) || !set(s->fd_, PACKET_IGNORE_OUTGOING, 1) ||
      !set(s->fd_, PACKET_QDISC_BYPASS, 1) || !set(s->fd_, PACKET_RX_RING, ring) ||
      !set(s->fd_, PACKET_ADD_MEMBERSHIP, all)) {
    return failed("packet socket cannot be set up");
  }
  void* memory =
      mmap(nullptr, size_t{kFrames} * kFrameSize, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd_, 0);
  if (memory == MAP_FAILED) return failed("ring cannot be mapped");
  s->ring_ = static_cast<uint8_t*>(memory);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (bind(s->fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed("cannot be bound");
  return s;
}

PacketSocket::~PacketSocket() {
  if (ring_ != nullptr) munmap(ring_, size_t{kFrames} * kFrameSize);
  if (fd_ >= 0) close(fd_);
}

uint32_t PacketSocket::receive(uint32_t most, const std::function<void(const Frame&)>& take) {
  uint32_t taken = 0;
  for (; taken < most; ++taken) {
    auto* header = reinterpret_cast<tpacket2_hdr*>(ring_ + size_t{next_} * kFrameSize);
    // Acquire: the kernel hands the frame over by this word.
    const uint32_t status = std::atomic_ref(header->tp_status).load(std::memory_order_acquire);
    if ((status & TP_STATUS_USER) == 0) break;
    take({.stamp_ns = uint64_t{header->tp_sec} * 1'000'000'000 + header->tp_nsec,
          .octets = {reinterpret_cast<const uint8_t*>(header) + header->tp_mac, header->tp_snaplen},
          .length = header->tp_len,
          .checksum_missing = (status & TP_STATUS_CSUMNOTREADY) != 0});
    std::atomic_ref(header->tp_status).store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = (next_ + 1) % kFrames;
  }
  return taken;
}

size_t PacketSocket::send(std::span<const std::span<const uint8_t>> frames) {
  mmsghdr messages[kBurst] = {};
  iovec vectors[kBurst];
  const size_t count = std::min(frames.size(), kBurst);
  for (size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<uint8_t*>(frames[i].data()), frames[i].size()};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int sent = sendmmsg(fd_, messages, static_cast<unsigned>(count), MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

uint64_t PacketSocket::ring_drops() {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  // Reading sets the kernel's count back.
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0) drops_ += stats.tp_drops;
  return drops_;
}

}  // namespace linkemu
