// SPDX-License-Identifier: BSD-3-Clause
// Packets for measuring linkemu (bench/linkemu runs it). UDP to the tunnel port over IPv4, as raw
// frames, so that no stack but the interfaces' own is measured.
//
//   blast: frames into several interfaces in turn, at a rate; how many were taken.
//   delay: stamped packets through one link; how much later or earlier than the link's rate and
//          delay say they arrived, by the kernel's stamp at the other end.
#include <CLI/CLI.hpp>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr size_t kBurst = 16;
constexpr size_t kHeaders = 14 + 20 + 8;
constexpr uint64_t kLinkFraming = 38;
constexpr int kBufferOctets = 16 << 20;

struct Load {
  std::vector<std::string> interfaces;
  std::string to;
  uint64_t rate_bps = 0;  // of IP packets, over all interfaces
  uint64_t link_rate_bps = 0;
  double delay_ms = 0;
  uint16_t octets = 1500;
  uint16_t port = 9188;
  double seconds = 5;
};

uint64_t wall_ns() {
  timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return static_cast<uint64_t>(t.tv_sec) * kSecondNs + static_cast<uint64_t>(t.tv_nsec);
}

void require(bool good, const std::string& what) {
  if (good) return;
  fmt::print(stderr, "linkemu_load: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

int open_interface(const std::string& name, uint16_t protocol) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
  require(fd >= 0, "packet socket");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = static_cast<int>(if_nametoindex(name.c_str()));
  require(address.sll_ifindex != 0, name);
  const int on = 1;
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferOctets, sizeof kBufferOctets);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kBufferOctets, sizeof kBufferOctets);
  require(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, name);
  return fd;
}

// To a station that is not there: the far interface counts the frame and drops it.
std::vector<uint8_t> make_frame(const Load& load) {
  std::vector<uint8_t> frame(ETH_HLEN + load.octets);
  const auto store_be16 = [&](size_t at, uint16_t value) {
    const uint16_t swapped = htons(value);
    std::memcpy(&frame[at], &swapped, sizeof swapped);
  };
  frame[0] = frame[6] = 0x02;
  frame[5] = 0x01;
  frame[11] = 0x02;
  store_be16(12, ETH_P_IP);
  frame[14] = 0x45;
  store_be16(16, load.octets);
  frame[22] = 64;
  frame[23] = IPPROTO_UDP;
  store_be16(34, load.port);
  store_be16(36, load.port);
  store_be16(38, static_cast<uint16_t>(load.octets - 20));
  return frame;
}

// When the packet of that number is due at the rate.
uint64_t due_ns(const Load& load, uint64_t start_ns, uint64_t number) {
  return start_ns + static_cast<uint64_t>(static_cast<double>(number * load.octets * 8) * 1e9 /
                                          static_cast<double>(load.rate_bps));
}

void blast(const Load& load) {
  std::vector<uint8_t> frame = make_frame(load);
  iovec vector{frame.data(), frame.size()};
  std::array<mmsghdr, kBurst> messages{};
  for (mmsghdr& message : messages) {
    message.msg_hdr.msg_iov = &vector;
    message.msg_hdr.msg_iovlen = 1;
  }
  std::vector<int> fds;
  for (const std::string& name : load.interfaces) fds.push_back(open_interface(name, 0));
  const uint64_t start_ns = wall_ns();
  const uint64_t end_ns = start_ns + static_cast<uint64_t>(load.seconds * 1e9);
  uint64_t offered = 0, taken = 0, now_ns = start_ns;
  for (; (now_ns = wall_ns()) < end_ns;) {
    if (due_ns(load, start_ns, offered) > now_ns) continue;
    const int fd = fds[offered / kBurst % fds.size()];
    taken += static_cast<uint64_t>(std::max(0, sendmmsg(fd, messages.data(), kBurst, 0)));
    offered += kBurst;
  }
  fmt::print("{{\"offered\": {}, \"taken\": {}, \"seconds\": {:.6f}}}\n", offered, taken,
             static_cast<double>(now_ns - start_ns) / 1e9);
}

// How far off packets arrived, in order of arrival.
class Receiver {
 public:
  Receiver(const Load& load, size_t most) : load_(load), fd_(open_interface(load.to, ETH_P_IP)) {
    errors_ns_.reserve(most);
  }

  // False when nothing has arrived.
  bool receive() {
    std::array<uint8_t, kHeaders + sizeof(uint64_t)> frame;
    std::array<uint8_t, 64> control;
    iovec vector{frame.data(), frame.size()};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(fd_, &message, 0) < 0) return false;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    require(header != nullptr && header->cmsg_type == SO_TIMESTAMPNS, "timestamp");
    timespec stamp;
    uint64_t sent_ns;
    std::memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
    std::memcpy(&sent_ns, &frame[kHeaders], sizeof sent_ns);
    free_at_ns_ = std::max(sent_ns, free_at_ns_) +
                  (load_.octets + kLinkFraming) * 8 * kSecondNs / load_.link_rate_bps;
    const auto delay_ns = static_cast<int64_t>(load_.delay_ms * 1e6);
    const auto arrived_ns = static_cast<int64_t>(stamp.tv_sec) * 1'000'000'000 + stamp.tv_nsec;
    errors_ns_.push_back(arrived_ns - static_cast<int64_t>(free_at_ns_) - delay_ns);
    return true;
  }

  std::vector<int64_t>& errors_ns() { return errors_ns_; }

 private:
  const Load& load_;
  int fd_;
  uint64_t free_at_ns_ = 0;
  std::vector<int64_t> errors_ns_;
};

void measure_delay(const Load& load) {
  const auto count = static_cast<uint64_t>(load.seconds * static_cast<double>(load.rate_bps) /
                                           (load.octets * 8.0));
  std::vector<uint8_t> frame = make_frame(load);
  const int out = open_interface(load.interfaces.front(), 0);
  Receiver receiver(load, count);
  const uint64_t start_ns = wall_ns();
  const uint64_t end_ns =
      due_ns(load, start_ns, count) + static_cast<uint64_t>(load.delay_ms * 1e6) + kSecondNs;
  uint64_t sent = 0;
  while (receiver.errors_ns().size() < count && wall_ns() < end_ns) {
    if (sent < count && due_ns(load, start_ns, sent) <= wall_ns()) {
      const uint64_t now_ns = wall_ns();
      std::memcpy(&frame[kHeaders], &now_ns, sizeof now_ns);
      require(send(out, frame.data(), frame.size(), 0) > 0, "send");
      ++sent;
    }
    while (receiver.receive()) {
    }
  }
  std::vector<int64_t>& errors = receiver.errors_ns();
  require(!errors.empty(), "nothing arrived");
  std::sort(errors.begin(), errors.end());
  const auto us = [&](double share) {
    const auto at = static_cast<size_t>(share * static_cast<double>(errors.size() - 1));
    return static_cast<double>(errors[at]) / 1e3;
  };
  fmt::print(
      "{{\"sent\": {}, \"received\": {}, \"error_us\": {{\"min\": {:.1f}, \"p1\": {:.1f}, \"p50\": "
      "{:.1f}, \"p99\": {:.1f}, \"p999\": {:.1f}, \"max\": {:.1f}}}}}\n",
      sent, errors.size(), us(0), us(0.01), us(0.5), us(0.99), us(0.999), us(1));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Packets for measuring linkemu."};
  app.require_subcommand(1);
  Load load;
  auto* blast_command = app.add_subcommand("blast", "how many frames are taken at a rate");
  auto* delay_command = app.add_subcommand("delay", "how exact a link's delay is");
  for (CLI::App* command : {blast_command, delay_command}) {
    command->add_option("--interface", load.interfaces, "where frames are sent")->required();
    command->add_option("--rate", load.rate_bps, "of IP packets, bit/s")->required();
    command->add_option("--octets", load.octets, "of an IP packet")
        ->check(CLI::Range(46, 1500))
        ->capture_default_str();
    command->add_option("--seconds", load.seconds, "how long")->capture_default_str();
  }
  delay_command->add_option("--to", load.to, "where they arrive")->required();
  delay_command->add_option("--link-rate", load.link_rate_bps, "of the link, bit/s")->required();
  delay_command->add_option("--delay", load.delay_ms, "of the link, ms")->required();
  CLI11_PARSE(app, argc, argv);
  if (blast_command->parsed())
    blast(load);
  else
    measure_delay(load);
  return 0;
}
