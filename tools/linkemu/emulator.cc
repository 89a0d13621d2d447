// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/emulator.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace anabranch::linkemu {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint32_t kReceiveMax = 128;  // from one interface before the others get their turn
constexpr size_t kSendMax = 64;

uint64_t read_clock_ns(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<uint64_t>(t.tv_sec) * kSecondNs + static_cast<uint64_t>(t.tv_nsec);
}

int open_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

}  // namespace

tl::expected<std::unique_ptr<Emulator>, std::string> Emulator::open(
    const EmulatorOptions& options) {
  std::unique_ptr<Emulator> e(new Emulator);
  e->tunnel_port_ = options.tunnel_port;
  e->signal_fd_ = open_signals();
  for (const LinkSpec& link : options.links) {
    for (const std::string& interface : {link.a, link.b}) {
      auto socket = PacketSocket::open(interface);
      if (!socket) return tl::unexpected("link " + link.name + ": " + socket.error());
      e->ends_.push_back({.socket = std::move(*socket)});
    }
  }
  e->lanes_ = make_lanes(options.links, options.buffers, options.seed);
  auto control = ControlSocket::listen(
      options.control_socket, [emulator = e.get()](const std::string& request) {
        emulator->collect_drops();
        // A request may hold octets that are not UTF-8, and errors quote it.
        return answer(emulator->lanes_, request)
            .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      });
  if (!control) return tl::unexpected(control.error());
  e->control_ = std::move(*control);
  return e;
}

Emulator::~Emulator() {
  if (signal_fd_ >= 0) close(signal_fd_);
}

void Emulator::run() {
  // The kernel would add 50 µs to each wait.
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  bool busy = false;
  while (true) {
    const uint64_t before_ns = read_clock_ns(CLOCK_MONOTONIC);
    const uint64_t next = next_ns();
    if (!wait(busy || next <= before_ns ? 0 : next - before_ns)) return;
    // Frames carry the wall clock, which may be set at any time; everything else goes by this one.
    const uint64_t now_ns = read_clock_ns(CLOCK_MONOTONIC);
    const uint64_t wall_to_now_ns = now_ns - read_clock_ns(CLOCK_REALTIME);
    busy = false;
    for (size_t lane = 0; lane < lanes_.size(); ++lane)
      busy = receive(lane, wall_to_now_ns, now_ns) || busy;
    const uint64_t due_ns = read_clock_ns(CLOCK_MONOTONIC);
    for (size_t lane = 0; lane < lanes_.size(); ++lane) send_due(lane, due_ns);
    control_->serve(due_ns);
    if (due_ns >= tell_at_ns_) {
      tell_at_ns_ = due_ns + kSecondNs;
      tell();
    }
  }
}

uint64_t Emulator::next_ns() const {
  uint64_t next = std::min(tell_at_ns_, control_->deadline_ns());
  for (const Lane& lane : lanes_) next = std::min(next, lane.direction.next_release_ns());
  return next;
}

// Until something arrives or the time is over; false when a signal asks to end.
bool Emulator::wait(uint64_t timeout_ns) {
  polled_.clear();
  for (const End& end : ends_) polled_.push_back({end.socket->fd(), POLLIN, 0});
  polled_.push_back({signal_fd_, POLLIN, 0});
  control_->add_to(polled_);
  const timespec timeout{static_cast<time_t>(timeout_ns / kSecondNs),
                         static_cast<long>(timeout_ns % kSecondNs)};
  if (ppoll(polled_.data(), polled_.size(), &timeout, nullptr) <= 0) return true;
  for (size_t i = 0; i < ends_.size(); ++i) {
    if ((polled_[i].revents & POLLERR) == 0) continue;
    PacketSocket& socket = *ends_[i].socket;
    fmt::print(stderr, "linkemu: interface {}: {}\n", socket.interface(),
               std::strerror(socket.take_error()));
  }
  return polled_[ends_.size()].revents == 0;
}

bool Emulator::receive(size_t lane, uint64_t wall_to_now_ns, uint64_t now_ns) {
  End& end = ends_[lane];
  return end.socket->receive(kReceiveMax, [&](const PacketSocket::Frame& frame) {
    if (frame.checksum_missing) ++end.checksums_missing;
    // Unsigned arithmetic wraps back to the difference. A frame that came after `now_ns` was read,
    // or whose wall clock was set meanwhile, has arrived now.
    const uint64_t arrival_ns = std::min(frame.stamp_ns + wall_to_now_ns, now_ns);
    lanes_[lane].direction.offer(arrival_ns, frame.octets, frame.length,
                                 classify(frame.octets, frame.length, tunnel_port_));
  }) != 0;
}

void Emulator::send_due(size_t lane, uint64_t now_ns) {
  Direction& direction = lanes_[lane].direction;
  PacketSocket& out = *ends_[lane ^ 1].socket;
  std::array<Direction::Packet, kSendMax> packets;
  std::array<std::span<const uint8_t>, kSendMax> frames;
  while (const size_t count = direction.take(now_ns, packets)) {
    for (size_t i = 0; i < count; ++i) frames[i] = direction.octets(packets[i]);
    for (size_t at = 0; at < count;) {
      const size_t sent = out.send(std::span(frames).subspan(at, count - at));
      for (size_t i = 0; i < sent; ++i) direction.settle(packets[at++], true);
      if (sent == 0) direction.settle(packets[at++], false);
    }
  }
}

void Emulator::collect_drops() {
  for (size_t i = 0; i < ends_.size(); ++i) lanes_[i].socket_drops += ends_[i].socket->new_drops();
}

// Once a second at most for each, so that trouble does not make more of itself.
void Emulator::tell() {
  collect_drops();
  for (size_t i = 0; i < ends_.size(); ++i) {
    End& end = ends_[i];
    if (const uint64_t drops = lanes_[i].socket_drops; drops != end.drops_told) {
      fmt::print(stderr,
                 "linkemu: interface {}: its socket dropped {} packets before they were counted; "
                 "the figures of link {} are not exact\n",
                 end.socket->interface(), drops - end.drops_told, lanes_[i].link);
      end.drops_told = drops;
    }
    if (end.checksums_missing != end.checksums_told) {
      fmt::print(stderr,
                 "linkemu: interface {}: {} packets came without checksum, and who gets them will "
                 "drop them; run ethtool -K IF tx off for the interface that sends them\n",
                 end.socket->interface(), end.checksums_missing - end.checksums_told);
      end.checksums_told = end.checksums_missing;
    }
  }
}

}  // namespace anabranch::linkemu
