// SPDX-License-Identifier: BSD-3-Clause
// The control session with the peer gateway: one TCP connection, over any uplink.
//
// The connecting side tries the paths in turn until one connects, and again when it is lost; the
// data plane goes on meanwhile. Nothing is trusted but addresses in this version: it is cleartext,
// and the configuration has to say so (`insecure_cleartext`). Runs on the loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "control/config.h"
#include "control/loop.h"
#include "control/messages.h"

namespace anabranch::control {

class Session {
 public:
  struct Ends {
    Ipv4 local, remote;
  };
  struct Events {
    std::function<void(const Hello&)> up;          // hello received and in order
    std::function<void(const Message&)> message;   // any other
    std::function<void(const std::string&)> down;  // why, as a sentence
  };

  // `paths`: addresses of each path, in the order in which to try them.
  Session(Loop& loop, const PeerConfig& peer, std::vector<Ends> paths, Hello hello, Events events);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Starts to connect or listen. The error: an address cannot be listened on.
  tl::expected<void, std::string> start();
  bool is_up() const { return up_; }
  // Dropped when the session is not up: whoever comes up again announces everything anew.
  void send(const Message& message);

 private:
  using Clock = std::chrono::steady_clock;
  void connect_next();
  void connected(int fd);
  void accept_from(int listener);
  void adopt(int fd);
  void readable();
  void consume();
  void receive(const Message& message);
  void write_out();
  void queue(const Message& message);
  void lose(const std::string& why);
  void tick();

  Loop& loop_;
  const PeerConfig& peer_;
  std::vector<Ends> paths_;
  Hello hello_;
  Events events_;

  std::vector<int> listeners_;
  size_t next_path_ = 0;
  int connecting_ = -1;
  int fd_ = -1;
  bool up_ = false;
  Clock::time_point since_;  // of the connection or the attempt
  Clock::time_point heard_;
  std::string in_, out_;
};

}  // namespace anabranch::control
