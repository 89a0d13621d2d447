// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/emulator.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <sstream>

namespace linkemu {
namespace {

using nlohmann::json;

constexpr uint32_t kReceiveMax = 128;  // from one interface before others get their turn
constexpr size_t kSendMax = 64;
constexpr size_t kClientsMax = 8;
constexpr size_t kRequestMax = 4096;
constexpr uint64_t kClientPatienceNs = 1'000'000'000;
constexpr uint64_t kTellEveryNs = 1'000'000'000;

uint64_t clock_ns(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}
uint64_t now_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}

json counts_json(const Counts& counts) {
  json result;
  for (size_t i = 0; i < counts.size(); ++i) {
    result[std::string(kClassNames[i])] = {{"packets", counts[i].packets},
                                           {"octets", counts[i].octets}};
  }
  return result;
}

json direction_json(const Direction& d, uint64_t socket_drops) {
  json dropped;
  for (size_t i = 0; i < kDropNames.size(); ++i) {
    dropped[std::string(kDropNames[i])] = counts_json(d.dropped(static_cast<Drop>(i)));
  }
  const Settings& s = d.settings();
  return {{"up", s.up},
          {"rate_bps", s.rate_bps},
          {"delay_ms", static_cast<double>(s.delay_ns) / 1e6},
          {"jitter_ms", static_cast<double>(s.jitter_ns) / 1e6},
          {"loss_percent", s.loss * 100},
          {"queue_ms", static_cast<double>(s.queue_ns) / 1e6},
          {"reorder", s.reorder},
          {"in_flight", d.in_flight()},
          {"offered", counts_json(d.offered())},
          {"delivered", counts_json(d.delivered())},
          {"dropped", dropped},
          {"socket_drops", socket_drops}};
}

}  // namespace

tl::expected<std::unique_ptr<Emulator>, std::string> Emulator::open(
    const EmulatorOptions& options) {
  std::unique_ptr<Emulator> e(new Emulator);
  e->options_ = options;
  uint64_t seed = options.seed;
  for (const LinkSpec& link : options.links) {
    PacketSocket* ends[2];
    for (int i = 0; i < 2; ++i) {
      auto socket = PacketSocket::open(i == 0 ? link.a : link.b);
      if (!socket) return tl::unexpected("link " + link.name + ": " + socket.error());
      ends[i] = socket->get();
      e->sockets_.push_back(std::move(*socket));
    }
    e->lanes_.push_back({link.name, "ab", ends[0], ends[1], Direction(link.ab, seed++)});
    e->lanes_.push_back({link.name, "ba", ends[1], ends[0], Direction(link.ba, seed++)});
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  e->signal_fd_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (options.control_socket.size() >= sizeof address.sun_path)
    return tl::unexpected("socket " + options.control_socket + ": the name is too long");
  std::strcpy(address.sun_path, options.control_socket.c_str());
  unlink(address.sun_path);
  e->listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(e->listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(e->listener_, 8) != 0) {
    return tl::unexpected("socket " + options.control_socket + ": " + std::strerror(errno));
  }
  return e;
}

Emulator::~Emulator() {
  for (const Client& client : clients_) close(client.fd);
  if (listener_ >= 0) {
    close(listener_);
    unlink(options_.control_socket.c_str());
  }
  if (signal_fd_ >= 0) close(signal_fd_);
}

void Emulator::run() {
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);  // else the kernel adds 50 µs to each wait
  signalfd_siginfo info;
  while (read(signal_fd_, &info, sizeof info) != sizeof info) {
    bool busy = false;
    for (Lane& lane : lanes_) busy = receive(lane) || busy;
    const uint64_t now = now_ns();
    for (Lane& lane : lanes_) send_due(lane, now);
    serve(now);
    if (now - told_at_ns_ > kTellEveryNs) {
      told_at_ns_ = now;
      tell_ring_drops();
    }
    if (!busy) wait(now);
  }
}

bool Emulator::receive(Lane& lane) {
  // The kernel stamps with the wall clock; what counts is how long ago that was.
  const uint64_t now = now_ns(), wall = clock_ns(CLOCK_REALTIME);
  return lane.from->receive(kReceiveMax, [&](const PacketSocket::Frame& frame) {
    if (frame.length > kFrameMax)
      return lane.direction.refuse(frame.octets, frame.length, Drop::too_long,
                                   options_.tunnel_port);
    if (frame.checksum_missing && !lane.told_checksum) {
      lane.told_checksum = true;
      std::fprintf(stderr,
                   "linkemu: packets at %s come without checksum and will be refused at the other "
                   "end; turn it off at their source: ethtool -K IF tx off\n",
                   lane.from->interface().c_str());
    }
    const uint64_t ago = wall > frame.stamp_ns ? wall - frame.stamp_ns : 0;
    lane.direction.offer(now - std::min(ago, now), frame.octets, options_.tunnel_port);
  }) != 0;
}

void Emulator::send_due(Lane& lane, uint64_t now) {
  while (true) {
    std::array<Direction::Packet, kSendMax> packets;
    std::array<std::span<const uint8_t>, kSendMax> frames;
    size_t count = 0;
    while (count < kSendMax && lane.direction.take(now, packets[count])) {
      frames[count] = lane.direction.octets(packets[count]);
      ++count;
    }
    if (count == 0) return;
    for (size_t at = 0; at < count;) {
      const size_t sent = lane.to->send(std::span(frames).subspan(at, count - at));
      for (size_t i = at; i < at + sent; ++i) lane.direction.delivered(packets[i]);
      at += sent;
      if (at < count && sent == 0) lane.direction.dropped(packets[at++].kinship, Drop::socket);
    }
  }
}

void Emulator::tell_ring_drops() {
  for (Lane& lane : lanes_) {
    const uint64_t drops = lane.from->ring_drops();
    if (drops == lane.drops_told) continue;
    std::fprintf(stderr,
                 "linkemu: %s: the socket dropped %llu packets before they were counted; the "
                 "figures of link %s are not exact\n",
                 lane.from->interface().c_str(),
                 static_cast<unsigned long long>(drops - lane.drops_told), lane.link.c_str());
    lane.drops_told = drops;
  }
}

void Emulator::wait(uint64_t now) {
  uint64_t next = told_at_ns_ + kTellEveryNs;
  std::vector<pollfd> fds{{signal_fd_, POLLIN, 0}, {listener_, POLLIN, 0}};
  for (const Lane& lane : lanes_) {
    next = std::min(next, lane.direction.next_release_ns());
    fds.push_back({lane.from->fd(), POLLIN, 0});
  }
  for (const Client& client : clients_) fds.push_back({client.fd, POLLIN, 0});
  const uint64_t ns = next > now ? next - now : 0;
  const timespec timeout{static_cast<time_t>(ns / 1'000'000'000),
                         static_cast<long>(ns % 1'000'000'000)};
  ppoll(fds.data(), fds.size(), &timeout, nullptr);
}

void Emulator::serve(uint64_t now) {
  int fd;
  while (clients_.size() < kClientsMax &&
         (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    clients_.push_back({fd, now, {}});
  }
  std::erase_if(clients_, [&](Client& client) {
    if (serve(client, now)) return false;
    close(client.fd);
    return true;
  });
}

// False when the client is done with, answered or not: it never holds up forwarding.
bool Emulator::serve(Client& client, uint64_t now) {
  char buffer[kRequestMax];
  const ssize_t n = read(client.fd, buffer, sizeof buffer);
  if (n == 0) return false;
  if (n > 0) client.in.append(buffer, static_cast<size_t>(n));
  const size_t end = client.in.find('\n');
  if (end == std::string::npos)
    return client.in.size() < kRequestMax && now - client.since_ns < kClientPatienceNs;
  const std::string text = answer(client.in.substr(0, end)).dump() + "\n";
  (void)::send(client.fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return false;
}

json Emulator::answer(const std::string& request) {
  std::istringstream in(request);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  if (words.size() == 1 && words[0] == "stats") return stats();
  if (words.size() >= 4 && words[0] == "set") return set(words);
  return {{"error", "\"" + request +
                        "\" is not understood; expected stats, or set LINK ab|ba|both CHANGE…"}};
}

json Emulator::stats() {
  json links = json::array();
  for (Lane& lane : lanes_) {
    if (links.empty() || links.back()["name"] != lane.link) links.push_back({{"name", lane.link}});
    links.back()[lane.name] = direction_json(lane.direction, lane.from->ring_drops());
  }
  return {{"links", links}};
}

// All of the changes, or none.
json Emulator::set(const std::vector<std::string>& words) {
  if (words[2] != "ab" && words[2] != "ba" && words[2] != "both")
    return {{"error", "\"" + words[2] + "\" is no direction; expected ab, ba or both"}};
  std::vector<std::pair<Lane*, Settings>> changed;
  for (Lane& lane : lanes_) {
    if (lane.link != words[1] || (words[2] != "both" && words[2] != lane.name)) continue;
    Settings settings = lane.direction.settings();
    for (size_t i = 3; i < words.size(); ++i) {
      const auto applied = apply(settings, words[i]);
      if (!applied) return {{"error", applied.error()}};
      settings = *applied;
    }
    changed.emplace_back(&lane, settings);
  }
  if (changed.empty()) return {{"error", "there is no link \"" + words[1] + "\""}};
  for (auto& [lane, settings] : changed) lane->direction.set(settings);
  return {{"done", true}};
}

}  // namespace linkemu
