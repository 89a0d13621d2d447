// SPDX-License-Identifier: BSD-3-Clause
#include "control/session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace anabranch::control {
namespace {

constexpr auto kTick = std::chrono::milliseconds(500);
constexpr auto kConnectPatience = std::chrono::seconds(2);
constexpr auto kHelloPatience = std::chrono::seconds(3);
constexpr auto kSilence = std::chrono::seconds(5);
constexpr size_t kOutMax = 4 * 1024 * 1024;  // a peer that does not read is lost, not waited for

sockaddr_in address_of(Ipv4 ip, uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(ip.value);
  return a;
}

int tcp_socket() {
  return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

}  // namespace

Session::Session(Loop& loop, const PeerConfig& peer, std::vector<Ends> paths, Hello hello,
                 Events events)
    : loop_(loop),
      peer_(peer),
      paths_(std::move(paths)),
      hello_(std::move(hello)),
      events_(std::move(events)) {}

Session::~Session() {
  for (int fd : listeners_) close(fd);
  if (connecting_ >= 0) close(connecting_);
  if (fd_ >= 0) close(fd_);
}

tl::expected<void, std::string> Session::start() {
  loop_.every(kTick, [this] { tick(); });
  if (peer_.role == SessionRole::connect) {
    connect_next();
    return {};
  }
  std::vector<Ipv4> done;
  for (const Ends& ends : paths_) {
    if (std::find(done.begin(), done.end(), ends.local) != done.end()) continue;
    done.push_back(ends.local);
    const int fd = tcp_socket();
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = address_of(ends.local, peer_.port);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(fd, 8) != 0) {
      const int error = errno;
      close(fd);
      return tl::unexpected("control session: cannot listen on " + to_string(ends.local) + ":" +
                            std::to_string(peer_.port) + ": " + std::strerror(error));
    }
    listeners_.push_back(fd);
    loop_.watch(fd, POLLIN, [this, fd](short) { accept_from(fd); });
  }
  return {};
}

void Session::connect_next() {
  const Ends ends = paths_[next_path_++ % paths_.size()];
  since_ = Clock::now();
  connecting_ = tcp_socket();
  const sockaddr_in local = address_of(ends.local, 0);
  const sockaddr_in remote = address_of(ends.remote, peer_.port);
  // Bound to the path's own address, so that it takes that path.
  if (bind(connecting_, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0 ||
      (::connect(connecting_, reinterpret_cast<const sockaddr*>(&remote), sizeof remote) != 0 &&
       errno != EINPROGRESS)) {
    close(connecting_);
    connecting_ = -1;  // tick() tries the next path
    return;
  }
  const int fd = connecting_;
  loop_.watch(fd, POLLOUT, [this, fd](short) { connected(fd); });
}

void Session::connected(int fd) {
  loop_.unwatch(fd);
  connecting_ = -1;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    close(fd);
    return;
  }
  adopt(fd);
}

void Session::accept_from(int listener) {
  sockaddr_in from{};
  socklen_t size = sizeof from;
  const int fd =
      accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  const Ipv4 address{ntohl(from.sin_addr.s_addr)};
  const bool known = std::any_of(paths_.begin(), paths_.end(),
                                 [&](const Ends& ends) { return ends.remote == address; });
  if (!known) {
    close(fd);
    return;
  }
  // The peer connects anew when it has lost the old connection, which we may not know yet.
  if (fd_ >= 0) lose("the peer connected anew");
  adopt(fd);
}

void Session::adopt(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fd_ = fd;
  up_ = false;
  in_.clear();
  out_.clear();
  since_ = heard_ = Clock::now();
  queue(hello_);
  write_out();
}

void Session::readable() {
  char buffer[16384];
  const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
  if (n == 0) return lose("the peer closed the connection");
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) lose(std::strerror(errno));
    return;
  }
  heard_ = Clock::now();
  in_.append(buffer, static_cast<size_t>(n));
  consume();
}

void Session::consume() {
  while (in_.size() >= 4) {
    const auto* p = reinterpret_cast<const uint8_t*>(in_.data());
    const size_t length = static_cast<size_t>(p[0]) << 24 | p[1] << 16 | p[2] << 8 | p[3];
    if (length > kMessageMax)
      return lose("a message of " + std::to_string(length) + " octets was announced; at most " +
                  std::to_string(kMessageMax) + " are allowed");
    if (in_.size() < 4 + length) return;
    const auto message = decode(std::string_view(in_).substr(4, length));
    in_.erase(0, 4 + length);
    if (!message) return lose(message.error());
    receive(*message);
    if (fd_ < 0) return;
  }
}

void Session::receive(const Message& message) {
  const Hello* hello = std::get_if<Hello>(&message);
  if (hello == nullptr) {
    if (!up_) return lose("the first message was not hello");
    if (!std::holds_alternative<Alive>(message)) events_.message(message);
    return;
  }
  if (up_) return lose("hello came twice");
  if (hello->version != kSessionVersion) {
    return lose("the peer speaks version " + std::to_string(hello->version) + ", this gateway " +
                std::to_string(kSessionVersion));
  }
  if (hello->gateway != peer_.name) {
    return lose("the peer calls itself \"" + hello->gateway + "\", peer.name is \"" + peer_.name +
                "\"");
  }
  up_ = true;
  events_.up(*hello);
}

void Session::send(const Message& message) {
  if (!up_) return;
  queue(message);
  write_out();
}

void Session::queue(const Message& message) {
  const std::string text = encode(message);
  const auto n = static_cast<uint32_t>(text.size());
  for (int shift = 24; shift >= 0; shift -= 8) out_.push_back(static_cast<char>(n >> shift));
  out_ += text;
}

void Session::write_out() {
  while (!out_.empty()) {
    const ssize_t n = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR) return lose(std::strerror(errno));
      break;
    }
    out_.erase(0, static_cast<size_t>(n));
  }
  if (out_.size() > kOutMax) return lose("the peer does not read");
  const auto events = static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT);
  loop_.watch(fd_, events, [this](short ready) {
    if ((ready & POLLOUT) != 0) write_out();
    if (fd_ >= 0 && (ready & ~POLLOUT) != 0) readable();
  });
}

void Session::lose(const std::string& why) {
  loop_.unwatch(fd_);
  close(fd_);
  fd_ = -1;
  const bool was_up = up_;
  up_ = false;
  events_.down((was_up ? "control session lost: " : "control session not established: ") + why);
}

void Session::tick() {
  const auto now = Clock::now();
  if (fd_ >= 0) {
    if (!up_ && now - since_ > kHelloPatience) return lose("no hello came");
    if (now - heard_ > kSilence) return lose("nothing was heard for 5 s");
    return send(Alive{});
  }
  if (peer_.role != SessionRole::connect) return;
  if (connecting_ >= 0) {
    if (now - since_ < kConnectPatience) return;
    loop_.unwatch(connecting_);
    close(connecting_);
    connecting_ = -1;
  }
  connect_next();
}

}  // namespace anabranch::control
