// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/control_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace anabranch::linkemu {
namespace {

constexpr size_t kClientsMax = 8;
constexpr size_t kRequestMax = 4096;
constexpr uint64_t kClientPatienceNs = 1'000'000'000;
// Longer than the other side can take.
constexpr timeval kAskPatience{5, 0};

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

int connect_to(int fd, const sockaddr_un& address) {
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

bool is_socket(const char* path) {
  struct stat status;
  return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

// A process that was killed leaves its socket behind: connecting to that one is refused.
void unlink_abandoned(const sockaddr_un& address) {
  if (!is_socket(address.sun_path)) return;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connect_to(fd, address) != 0 && errno == ECONNREFUSED) unlink(address.sun_path);
  close(fd);
}

}  // namespace

tl::expected<std::unique_ptr<ControlSocket>, std::string> ControlSocket::listen(
    const std::string& path, Answer answer) {
  const auto address = address_of(path);
  if (!address)
    return tl::unexpected("socket \"" + path + "\": must be a path of 1 to 107 characters");
  unlink_abandoned(*address);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::listen(fd, kClientsMax) != 0) {
    const std::string reason = std::strerror(errno);
    close(fd);
    return tl::unexpected("socket \"" + path + "\": cannot be listened on: " + reason);
  }
  std::unique_ptr<ControlSocket> control(new ControlSocket);
  control->path_ = path;
  control->answer_ = std::move(answer);
  control->fd_ = fd;
  return control;
}

ControlSocket::~ControlSocket() {
  for (const Client& client : clients_) close(client.fd);
  close(fd_);
  unlink(path_.c_str());
}

void ControlSocket::add_to(std::vector<pollfd>& fds) const {
  if (clients_.size() < kClientsMax) fds.push_back({fd_, POLLIN, 0});
  for (const Client& client : clients_) {
    const short events = client.reply.empty() ? POLLIN : POLLOUT;
    fds.push_back({client.fd, events, 0});
  }
}

uint64_t ControlSocket::deadline_ns() const {
  uint64_t first = UINT64_MAX;
  for (const Client& client : clients_) first = std::min(first, client.deadline_ns);
  return first;
}

void ControlSocket::serve(uint64_t now_ns) {
  accept_clients(now_ns);
  std::erase_if(clients_, [&](Client& client) {
    if (go_on(client) && now_ns < client.deadline_ns) return false;
    close(client.fd);
    return true;
  });
}

void ControlSocket::accept_clients(uint64_t now_ns) {
  while (clients_.size() < kClientsMax) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    clients_.push_back({.fd = fd, .deadline_ns = now_ns + kClientPatienceNs});
  }
}

// False when the client is done with, answered or not.
bool ControlSocket::go_on(Client& client) {
  if (client.reply.empty() && !read_request(client)) return false;
  if (client.reply.empty()) return true;
  const ssize_t n = send(client.fd, client.reply.data() + client.written,
                         client.reply.size() - client.written, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN;
  client.written += static_cast<size_t>(n);
  return client.written < client.reply.size();
}

// False when there will be no request.
bool ControlSocket::read_request(Client& client) {
  char buffer[kRequestMax];
  const ssize_t n = read(client.fd, buffer, sizeof buffer);
  if (n < 0) return errno == EAGAIN;
  if (n == 0) return false;
  client.request.append(buffer, static_cast<size_t>(n));
  const size_t end = client.request.find('\n');
  if (end != std::string::npos || client.request.size() >= kRequestMax)
    client.reply = answer_(client.request.substr(0, end)) + "\n";
  return true;
}

tl::expected<std::string, std::string> ask(const std::string& path, const std::string& request) {
  const auto nobody = [&](const std::string& reason) {
    return tl::unexpected("socket \"" + path + "\": nobody answers (" + reason +
                          "); is linkemu running with it?");
  };
  const auto address = address_of(path);
  if (!address) return nobody("no such path");
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kAskPatience, sizeof kAskPatience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kAskPatience, sizeof kAskPatience);
  const std::string line = request + "\n";
  std::string reply;
  if (connect_to(fd, *address) == 0 &&
      send(fd, line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size())) {
    errno = 0;
    char buffer[4096];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
      reply.append(buffer, static_cast<size_t>(n));
  }
  const std::string reason = errno != 0 ? std::strerror(errno) : "it closed the connection";
  close(fd);
  if (reply.empty() || reply.back() != '\n') return nobody(reason);
  return reply;
}

}  // namespace anabranch::linkemu
