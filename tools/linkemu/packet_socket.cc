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
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace anabranch::linkemu {
namespace {

// 50 ms of 1 Gbit/s at 1500 octets, for when the process does not get to run.
constexpr uint32_t kFrames = 4096;
constexpr uint32_t kFrameSize = 2048;
constexpr uint32_t kBlockSize = 1u << 16;
constexpr size_t kRingOctets = size_t{kFrames} * kFrameSize;
constexpr size_t kBurst = 64;
// The default holds about 90 frames that the peer has not looked at yet; less than two bursts.
constexpr int kSendBufferOctets = 4 << 20;

template <typename T>
bool set_option(int fd, int level, int option, const T& value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// The kernel takes the VLAN tag out before a packet socket sees the frame. It goes back between the
// addresses and the type; the ring has room in front of the frame.
std::span<const uint8_t> with_vlan_tag(uint8_t* frame, size_t size, const tpacket2_hdr& header) {
  constexpr size_t kAddresses = 2 * ETH_ALEN, kTag = 4;
  const std::array<uint16_t, 2> tag{htons(header.tp_vlan_tpid), htons(header.tp_vlan_tci)};
  static_assert(sizeof tag == kTag);
  std::memmove(frame - kTag, frame, kAddresses);
  std::memcpy(frame - kTag + kAddresses, tag.data(), kTag);
  return {frame - kTag, size + kTag};
}

PacketSocket::Frame read_frame(tpacket2_hdr& header, uint32_t status) {
  uint8_t* octets = reinterpret_cast<uint8_t*>(&header) + header.tp_mac;
  PacketSocket::Frame frame{.stamp_ns = uint64_t{header.tp_sec} * 1'000'000'000 + header.tp_nsec,
                            .octets = {octets, header.tp_snaplen},
                            .length = header.tp_len,
                            .checksum_missing = (status & TP_STATUS_CSUMNOTREADY) != 0};
  if ((status & TP_STATUS_VLAN_VALID) != 0 && header.tp_snaplen >= ETH_HLEN) {
    frame.octets = with_vlan_tag(octets, header.tp_snaplen, header);
    frame.length += static_cast<uint32_t>(frame.octets.size()) - header.tp_snaplen;
  }
  return frame;
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
  // Protocol 0 until the ring stands: what arrives before has nowhere to go.
  s->fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (s->fd_ < 0) return failed("a packet socket cannot be opened");
  const tpacket_req ring{kBlockSize, kRingOctets / kBlockSize, kFrameSize, kFrames};
  packet_mreq promiscuous{};
  promiscuous.mr_ifindex = static_cast<int>(index);
  promiscuous.mr_type = PACKET_MR_PROMISC;
  const bool prepared = set_option(s->fd_, SOL_PACKET, PACKET_VERSION, int{TPACKET_V2}) &&
                        set_option(s->fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) &&
                        set_option(s->fd_, SOL_PACKET, PACKET_QDISC_BYPASS, 1) &&
                        set_option(s->fd_, SOL_PACKET, PACKET_RX_RING, ring) &&
                        set_option(s->fd_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, promiscuous) &&
                        set_option(s->fd_, SOL_SOCKET, SO_SNDBUFFORCE, kSendBufferOctets);
  if (!prepared) return failed("its packet socket cannot be set up");
  void* memory = mmap(nullptr, kRingOctets, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd_, 0);
  if (memory == MAP_FAILED) return failed("the ring of its packet socket cannot be mapped");
  s->ring_ = static_cast<uint8_t*>(memory);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (bind(s->fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed("its packet socket cannot be bound");
  return s;
}

PacketSocket::~PacketSocket() {
  if (ring_ != nullptr) munmap(ring_, kRingOctets);
  if (fd_ >= 0) close(fd_);
}

uint32_t PacketSocket::receive(uint32_t most, const std::function<void(const Frame&)>& take) {
  uint32_t taken = 0;
  for (; taken < most; ++taken) {
    auto& header = *reinterpret_cast<tpacket2_hdr*>(ring_ + size_t{next_} * kFrameSize);
    // Acquire and release: this word hands the frame from the kernel to us and back.
    std::atomic_ref shared_status(header.tp_status);
    const uint32_t status = shared_status.load(std::memory_order_acquire);
    if ((status & TP_STATUS_USER) == 0) break;
    take(read_frame(header, status));
    shared_status.store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = (next_ + 1) % kFrames;
  }
  return taken;
}

size_t PacketSocket::send(std::span<const std::span<const uint8_t>> frames) {
  std::array<mmsghdr, kBurst> messages{};
  std::array<iovec, kBurst> vectors;
  const size_t count = std::min(frames.size(), kBurst);
  for (size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<uint8_t*>(frames[i].data()), frames[i].size()};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int sent = sendmmsg(fd_, messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

uint64_t PacketSocket::new_drops() {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  // Reading sets the kernel's count back to zero.
  return getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0 ? stats.tp_drops : 0;
}

int PacketSocket::take_error() {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace anabranch::linkemu
