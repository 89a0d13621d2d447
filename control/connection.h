// SPDX-License-Identifier: BSD-3-Clause
// One connection of the control session: TLS, messages behind their length. Control thread.
//
// Until the peer is authenticated nothing it sends is interpreted; then a message is at most
// kMessageMax octets, and what cannot be sent waits up to kOutMax.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "control/loop.h"
#include "control/messages.h"
#include "control/tls/tls_stream.h"

namespace anabranch::control {

class Connection {
 public:
  using Clock = std::chrono::steady_clock;
  // Each may end the connection, but not destroy it: that is for later (Loop::post).
  struct Events {
    std::function<void(Connection&)> authenticated;
    std::function<void(Connection&, const Message&)> message;
    std::function<void(Connection&, const std::string& why)> lost;
  };

  // `from` names the other end in messages.
  Connection(Loop& loop, const Identity& identity, int fd, TlsStream::Side side, std::string from,
             const Events& events);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(const Message& message);
  // Nothing is heard of it any more.
  void end();
  // As if it had been lost.
  void lose(const std::string& why);

  const TlsStream& tls() const { return tls_; }
  const std::string& from() const { return from_; }
  bool is_authenticated() const { return authenticated_; }
  Clock::time_point began() const { return began_; }
  Clock::time_point heard() const { return heard_; }

 private:
  void ready(short events);
  void shake_hands();
  void read();
  void consume();
  void write();
  void watch(short events);

  Loop& loop_;
  TlsStream tls_;
  std::string from_;
  const Events& events_;
  bool authenticated_ = false;
  bool ended_ = false;
  Clock::time_point began_ = Clock::now(), heard_ = began_;
  std::string in_, out_;
};

}  // namespace anabranch::control
