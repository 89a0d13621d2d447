// SPDX-License-Identifier: BSD-3-Clause
// One end of a control session, on a thread of its own, over the loopback interface: site-a (it
// connects, from 127.0.0.1 and 127.0.0.3) or site-b (it listens, on 127.0.0.2 and 127.0.0.4).
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/session.h"
#include "tests/dataplane/temporary_folder.h"

namespace anabranch::control {

// A TCP port nobody uses.
uint16_t free_port();

// Certificates for all who take part, made once.
class Identities {
 public:
  Identities();
  // Signed by itself, valid for so many days; less than 0: expired.
  std::string make(const std::string& name, int days = 30);
  // Signed by a CA of that name, whose certificate is ca(name).
  void make_signed(const std::string& name, const std::string& ca);
  std::string ca(const std::string& name) const { return folder_.file(name + ".ca"); }
  IdentityFiles files(const std::string& name, const std::string& peer,
                      const std::string& fingerprint) const;

 private:
  dataplane::TemporaryFolder folder_;
};

class Site {
 public:
  // `change` adjusts the configuration or the hello before the session starts.
  using Change = std::function<void(PeerConfig&, Hello&)>;
  Site(const IdentityFiles& files, SessionRole role, uint16_t port, const Change& change = {});
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  // Each waits for it, at most ten seconds; what has happened by then.
  bool is_up(size_t times = 1);
  std::string refusal();  // why a connection was not established, or lost
  bool heard(const Message& message);
  void send(const Message& message);
  void change_keys();

  size_t ups();
  size_t downs();
  PhaseKeys keys(size_t handshake);

 private:
  template <typename Condition>
  bool wait(Condition condition);

  std::unique_ptr<Identity> identity_;
  PeerConfig peer_;
  Loop loop_;
  std::mutex mutex_;  // guards what follows up to the session
  std::condition_variable happened_;
  std::vector<PhaseKeys> keys_;
  std::vector<std::string> downs_;
  std::vector<std::string> messages_;  // as encoded
  std::unique_ptr<Session> session_;
  std::thread thread_;
};

}  // namespace anabranch::control
