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
constexpr auto kHelloPatience = std::chrono::seconds(3);  // from the connection to the hello
constexpr auto kSilence = std::chrono::seconds(5);
constexpr size_t kPendingMax = 8;
constexpr int kBacklog = 64;
// Handshakes cost us signatures: so many may begin a second, and so many at once.
constexpr double kAdmissionsPerSecond = 5, kAdmissionsMax = 10;
constexpr auto kReportEvery = std::chrono::seconds(1);

// As the kernel has it.
class SocketAddress {
 public:
  SocketAddress() = default;
  SocketAddress(Ip ip, uint16_t port) {
    const Octets octets = octets_of(ip);
    if (ip.is_ipv4()) {
      storage_.v4 = {
          .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
      std::memcpy(&storage_.v4.sin_addr, octets.octets.data(), octets.count);
      size_ = sizeof storage_.v4;
    } else {
      storage_.v6 = {};
      storage_.v6.sin6_family = AF_INET6;
      storage_.v6.sin6_port = htons(port);
      std::memcpy(&storage_.v6.sin6_addr, octets.octets.data(), octets.count);
      size_ = sizeof storage_.v6;
    }
  }
  sockaddr* get() { return &storage_.any; }
  socklen_t* size() { return &size_; }
  Ip ip() const {
    return storage_.any.sa_family == AF_INET ? ip_of_ipv4(&storage_.v4.sin_addr)
                                             : ip_of_ipv6(&storage_.v6.sin6_addr);
  }

 private:
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } storage_{};
  socklen_t size_ = sizeof storage_;
};

int tcp_socket(Ip of) {
  return socket(of.is_ipv4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

bool bind_to(int fd, Ip ip, uint16_t port) {
  SocketAddress address(ip, port);
  return bind(fd, address.get(), *address.size()) == 0;
}

}  // namespace

Session::Session(Loop& loop, const Identity& identity, const PeerConfig& peer,
                 std::vector<Ends> paths, Hello hello, Events events)
    : loop_(loop),
      identity_(identity),
      peer_(peer),
      paths_(std::move(paths)),
      hello_(std::move(hello)),
      events_(std::move(events)),
      connection_events_{.authenticated = [this](Connection& c) { authenticated(c); },
                         .message = [this](Connection& c, const Message& m) { receive(c, m); },
                         .lost = [this](Connection& c, const std::string& why) { lost(c, why); }},
      strangers_{kAdmissionsMax},
      peers_{kAdmissionsMax} {}

Session::~Session() {
  for (int fd : listeners_) {
    loop_.unwatch(fd);
    close(fd);
  }
  if (connecting_ < 0) return;
  loop_.unwatch(connecting_);
  close(connecting_);
}

tl::expected<void, std::string> Session::start() {
  loop_.every(kTick, [this] { tick(); });
  if (peer_.role == SessionRole::connect) {
    connect_next();
    return {};
  }
  std::vector<Ip> done;
  for (const Ends& ends : paths_) {
    if (std::find(done.begin(), done.end(), ends.local) != done.end()) continue;
    done.push_back(ends.local);
    const int fd = tcp_socket(ends.local);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // The kernel may not have it: a device's never, and one of IPv6 not before it knows that nobody
    // else does (RFC 4862 5.4).
    if (ends.local.is_ipv4()) {
      setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
    } else {
      setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
    }
    if (!bind_to(fd, ends.local, peer_.port) || listen(fd, kBacklog) != 0) {
      const int error = errno;
      close(fd);
      return tl::unexpected("control session: cannot listen on " +
                            to_string(Endpoint{ends.local, peer_.port}) + ": " +
                            std::strerror(error));
    }
    listeners_.push_back(fd);
    loop_.watch(fd, POLLIN, [this, fd](short) { accept_from(fd); });
  }
  return {};
}

void Session::connect_next() {
  const Ends ends = paths_[next_path_ % paths_.size()];
  tried_ = Clock::now();
  connecting_ = tcp_socket(ends.local);
  SocketAddress remote(ends.remote, peer_.port);
  // Bound to the path's own address, so that it takes that path.
  if (!bind_to(connecting_, ends.local, 0) ||
      (::connect(connecting_, remote.get(), *remote.size()) != 0 && errno != EINPROGRESS)) {
    close(connecting_);
    connecting_ = -1;
    ++next_path_;  // tick() tries it
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
  if (error == 0) return add(fd, paths_[next_path_ % paths_.size()].remote);
  close(fd);
  ++next_path_;
}

void Session::accept_from(int listener) {
  SocketAddress from;
  const int fd = accept4(listener, from.get(), from.size(), SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  const Ip address = from.ip();
  if (!(is_known(address) ? peers_ : strangers_).take()) {
    close(fd);
    return report(to_string(address) + " and others want too many handshakes a second");
  }
  if (pending_.size() >= kPendingMax) {
    // The oldest had its chance; whoever holds places must not keep the peer out.
    bury(take_pending(*pending_.front()));
  }
  add(fd, address);
}

bool Session::is_known(Ip address) const {
  return to_string(address) == known_ ||
         std::any_of(paths_.begin(), paths_.end(),
                     [&](const Ends& ends) { return ends.remote == address; });
}

bool Session::Admissions::take() {
  const auto now = Clock::now();
  const std::chrono::duration<double> passed = now - since;
  since = now;
  left = std::min(kAdmissionsMax, left + passed.count() * kAdmissionsPerSecond);
  if (left < 1) return false;
  left -= 1;
  return true;
}

void Session::add(int fd, Ip remote) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto side =
      peer_.role == SessionRole::connect ? TlsStream::Side::client : TlsStream::Side::server;
  pending_.push_back(std::make_unique<Connection>(loop_, identity_, fd, side, to_string(remote),
                                                  connection_events_));
}

// The connecting side speaks first: it numbers the phases.
void Session::authenticated(Connection& connection) {
  if (peer_.role != SessionRole::connect) return;
  hello_.phase = static_cast<uint8_t>(phase_ + 1);
  connection.send(hello_);
}

void Session::receive(Connection& connection, const Message& message) {
  if (const auto* hello = std::get_if<Hello>(&message)) return receive_hello(connection, *hello);
  if (&connection != current_.get()) return connection.lose("the first message was not hello");
  if (std::holds_alternative<Rekey>(message)) return change_keys();
  if (!std::holds_alternative<Alive>(message)) events_.message(message);
}

void Session::receive_hello(Connection& connection, const Hello& hello) {
  if (&connection == current_.get()) return connection.lose("hello came twice");
  if (const std::string why = objection(hello); !why.empty()) return connection.lose(why);
  // The connecting side names its ciphers in its order; the other answers with its choice.
  const auto chosen = std::find_first_of(hello.ciphers.begin(), hello.ciphers.end(),
                                         hello_.ciphers.begin(), hello_.ciphers.end());
  if (chosen == hello.ciphers.end())
    return connection.lose("peer.ciphers of the two gateways have none in common");
  const dataplane::Cipher cipher = *chosen;
  if (peer_.role == SessionRole::listen) {
    Hello answer = hello_;
    answer.phase = hello.phase;
    answer.ciphers = {cipher};
    connection.send(answer);
  } else if (hello.phase != hello_.phase || hello.ciphers.size() != 1) {
    return connection.lose("the peer answered with another key phase, or chose no cipher");
  }
  take_over(connection, hello, cipher);
}

std::string Session::objection(const Hello& hello) const {
  if (hello.version != kSessionVersion) {
    return "the peer speaks version " + std::to_string(hello.version) + ", this gateway " +
           std::to_string(kSessionVersion);
  }
  if (hello.gateway != peer_.name) {
    return "the peer calls itself \"" + hello.gateway + "\", peer.name is \"" + peer_.name + "\"";
  }
  return {};
}

void Session::take_over(Connection& connection, const Hello& hello, dataplane::Cipher cipher) {
  if (current_) {
    // Closed now, it could be seen to be lost before the new one is seen to be there.
    current_->end();
    replaced_.push_back(std::move(current_));
    replaced_at_ = Clock::now();
  }
  current_ = take_pending(connection);
  if (!current_) return;
  phase_ = hello.phase;
  known_ = connection.from();
  change_keys_ = false;
  const auto side =
      peer_.role == SessionRole::connect ? TlsStream::Side::client : TlsStream::Side::server;
  events_.up(hello, make_phase_keys(connection.tls(), side, cipher, hello.phase));
}

void Session::lost(Connection& connection, const std::string& why) {
  if (&connection == current_.get()) {
    bury(std::move(current_));
    ++next_path_;
    return events_.down("control session lost: " + why);
  }
  const bool connecting = peer_.role == SessionRole::connect;
  if (connecting) ++next_path_;
  const std::string from = connection.from();
  bury(take_pending(connection));
  report("control session with " + from + " not established: " + why +
         (connecting ? "; the log of " + peer_.name + " may say more" : ""));
}

std::unique_ptr<Connection> Session::take_pending(const Connection& connection) {
  const auto found = std::find_if(pending_.begin(), pending_.end(),
                                  [&](const auto& p) { return p.get() == &connection; });
  if (found == pending_.end()) return nullptr;
  auto taken = std::move(*found);
  pending_.erase(found);
  return taken;
}

// One of its functions may be running.
void Session::bury(std::unique_ptr<Connection> connection) {
  connection->end();
  ended_.push_back(std::move(connection));
  loop_.post([this] { ended_.clear(); });
}

// Who cannot get in must not fill the log either.
void Session::report(const std::string& why) {
  const auto now = Clock::now();
  if (now - reported_ < kReportEvery) {
    ++unreported_;
    return;
  }
  const std::string more =
      unreported_ == 0 ? "" : " (and " + std::to_string(unreported_) + " more before)";
  reported_ = now;
  unreported_ = 0;
  events_.down(why + more);
}

void Session::send(const Message& message) {
  if (current_) current_->send(message);
}

void Session::change_keys() {
  if (peer_.role == SessionRole::connect) {
    change_keys_ = true;
  } else {
    send(Rekey{});
  }
}

void Session::tick() {
  const auto now = Clock::now();
  while (!pending_.empty() && now - pending_.front()->began() > kHelloPatience)
    pending_.front()->lose("no hello came");
  if (current_ && now - current_->heard() > kSilence) {
    current_->lose("nothing was heard for " + std::to_string(kSilence.count()) + " s");
  } else {
    send(Alive{});
  }
  if (now - replaced_at_ > kSilence) replaced_.clear();
  if (peer_.role != SessionRole::connect) return;
  if (connecting_ >= 0 && now - tried_ > kConnectPatience) {
    loop_.unwatch(connecting_);
    close(connecting_);
    connecting_ = -1;
    ++next_path_;
  }
  if (current_ && now - current_->began() > std::chrono::seconds(peer_.rekey_s))
    change_keys_ = true;
  if (connecting_ < 0 && pending_.empty() && (!current_ || change_keys_)) connect_next();
}

}  // namespace anabranch::control
