// SPDX-License-Identifier: BSD-3-Clause
// The control session with the peer gateway: TLS 1.3 over any uplink.
//
// The connecting side tries the paths in turn until one connects, and again when the connection is
// lost; the data plane goes on meanwhile. Each handshake gives a key phase. For a new one the
// connecting side makes a new connection beside the old, which ends when the new has taken its
// place. Runs on the loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "control/config.h"
#include "control/connection.h"
#include "control/phase_keys.h"

namespace anabranch::control {

class Session {
 public:
  struct Ends {
    Ip local, remote;  // no remote: not known (listening side only)
  };
  struct Events {
    // A connection has taken over: the peer's hello, and the keys of its phase.
    std::function<void(const Hello&, PhaseKeys)> up;
    std::function<void(const Message&)> message;   // any other
    std::function<void(const std::string&)> down;  // why, as a sentence
  };

  // `paths`: addresses of each path, in the order in which to try them.
  Session(Loop& loop, const Identity& identity, const PeerConfig& peer, std::vector<Ends> paths,
          Hello hello, Events events);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Starts to connect or listen. The error: an address cannot be listened on.
  tl::expected<void, std::string> start();
  bool is_up() const { return current_ != nullptr; }
  // The peer's address of the connection in use, or of the last; empty before the first.
  const std::string& reached_at() const { return known_; }
  // Dropped when the session is not up: whoever comes up again announces everything anew.
  void send(const Message& message);
  // A new key phase, soon. The listening side asks the other for it.
  void change_keys();

 private:
  using Clock = Connection::Clock;
  using Connections = std::vector<std::unique_ptr<Connection>>;
  void connect_next();
  void connected(int fd);
  void accept_from(int listener);
  bool is_known(Ip address) const;
  void add(int fd, Ip remote);
  void authenticated(Connection& connection);
  void receive(Connection& connection, const Message& message);
  void receive_hello(Connection& connection, const Hello& hello);
  std::string objection(const Hello& hello) const;
  void take_over(Connection& connection, const Hello& hello, dataplane::Cipher cipher);
  void lost(Connection& connection, const std::string& why);
  void bury(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> take_pending(const Connection& connection);
  void report(const std::string& why);
  void tick();

  Loop& loop_;
  const Identity& identity_;
  const PeerConfig& peer_;
  std::vector<Ends> paths_;
  Hello hello_;
  Events events_;
  Connection::Events connection_events_;

  std::vector<int> listeners_;
  size_t next_path_ = 0;
  int connecting_ = -1;
  Clock::time_point tried_;
  Connections pending_;  // no hello came yet
  std::unique_ptr<Connection> current_;
  Connections ended_;     // to be destroyed when none of their functions runs
  Connections replaced_;  // the peer may not have noticed yet
  Clock::time_point replaced_at_{};
  uint8_t phase_ = 0;  // of the last handshake
  bool change_keys_ = false;
  // How many handshakes may begin: strangers do not use up what is the peer's.
  struct Admissions {
    double left;
    Clock::time_point since = Clock::now();
    bool take();
  };
  Admissions strangers_, peers_;
  std::string known_;  // where the peer was last
  Clock::time_point reported_{};
  uint64_t unreported_ = 0;
};

}  // namespace anabranch::control
