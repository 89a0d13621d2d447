// SPDX-License-Identifier: BSD-3-Clause
// What two gateways agree on over the control session: receiver indices, and the services each
// carries for the other's clients. The home gateway decides both directions; the peer checks that
// what it is asked to carry lies between its own LAN and what its configuration allows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "control/carrier.h"
#include "control/keyring.h"
#include "control/session.h"

namespace anabranch::control {

class Peering {
 public:
  struct Events {
    // The peer is there; services are to be announced (again).
    std::function<void()> up;
    std::function<void(uint64_t service, const std::string& reason)> refused;
    std::function<void(const Limits&)> limits;
  };
  Peering(Loop& loop, const Config& config, const Identity& identity, Carrier& carrier,
          Keyring& keyring, const std::map<uint8_t, Session::Ends>& paths, Events events);

  tl::expected<void, std::string> start() { return session_.start(); }
  bool is_up() const { return session_.is_up(); }
  const std::string& reached_at() const { return session_.reached_at(); }

  // Tells the peer how to carry a home service: its rules mirrored, and how it shall send.
  void announce(const Carried& service, const Carriage& towards_us);
  void end(uint64_t service) { session_.send(End{service}); }
  void gone(uint64_t service) { session_.send(Gone{service}); }
  // A new key phase, soon.
  void change_keys() { session_.change_keys(); }
  // What was counted on each path; and what the peer said last of its own counts.
  void tell(Counted counted) { session_.send(std::move(counted)); }
  void tell(Limits limits) { session_.send(std::move(limits)); }
  const Counted& peer_counted() const { return peer_counted_; }
  // What is ordered of our paths; the peer is told when it is another, and when it comes up. And
  // what it said last of its own: in force until it says otherwise, also while it is away.
  void tell(const Ordered& ordered);
  const Ordered& peer_ordered() const { return peer_ordered_; }

 private:
  void up(const Hello& hello, const PhaseKeys& keys);
  void greet(const Hello& hello, bool anew) const;
  void tell_kept();
  void forget_all_but(const Kept& kept);
  void receive(const Message& message);
  void receive_announce(const Announce& announce);
  void start_anew();
  std::string objection(const Announce& announce) const;
  Carried* visitor(uint64_t peer_id);
  void remove_visitor(uint64_t peer_id);

  const Config& config_;
  Carrier& carrier_;
  Keyring& keyring_;
  Events events_;
  uint64_t peer_instance_ = 0;
  uint64_t visitors_seen_ = 0;
  std::map<uint64_t, uint64_t> visitors_;  // the peer's id → ours
  Counted peer_counted_;
  Ordered ordered_, peer_ordered_;
  bool was_up_ = false;
  Session session_;
};

}  // namespace anabranch::control
