// SPDX-License-Identifier: BSD-3-Clause
#include "control/peering.h"

#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <algorithm>

namespace anabranch::control {
namespace {

Hello make_hello(const Config& config, const std::map<uint8_t, Session::Ends>& paths) {
  Hello hello{.gateway = config.name};
  while (hello.instance == 0) {
    if (getrandom(&hello.instance, sizeof hello.instance, 0) != sizeof hello.instance)
      hello.instance = 0;
  }
  for (const auto& [id, ends] : paths) hello.paths.push_back({id, ends.local});
  hello.ciphers = config.peer.ciphers;
  return hello;
}

std::vector<Session::Ends> ends_in_order(const std::map<uint8_t, Session::Ends>& paths) {
  std::vector<Session::Ends> result;
  for (const auto& [id, ends] : paths) result.push_back(ends);
  return result;
}

bool within(const Prefix& prefix, const std::vector<Prefix>& allowed) {
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const Prefix& p) { return p.contains(prefix); });
}

}  // namespace

Peering::Peering(Loop& loop, const Config& config, const Identity& identity, Carrier& carrier,
                 Keyring& keyring, const std::map<uint8_t, Session::Ends>& paths, Events events)
    : config_(config),
      carrier_(carrier),
      keyring_(keyring),
      events_(std::move(events)),
      session_(loop, identity, config.peer, ends_in_order(paths), make_hello(config, paths),
               {.up = [this](const Hello& hello, const PhaseKeys& keys) { up(hello, keys); },
                .message = [this](const Message& message) { receive(message); },
                .down =
                    [this](const std::string& why) {
                      was_up_ = session_.is_up();
                      spdlog::warn("{}", why);
                    }}) {}

// The order matters: keys before numbers start anew, and everything said anew, since what was said
// on the old connection may be lost.
void Peering::up(const Hello& hello, const PhaseKeys& keys) {
  const bool anew = hello.instance != peer_instance_;
  keyring_.receive_with(hello.instance, keys);
  if (anew || !was_up_) greet(hello, anew);
  was_up_ = true;
  if (anew) start_anew();
  peer_instance_ = hello.instance;
  session_.send(Ready{});
  session_.send(House{carrier_.house_receiver()});
  // Before services are announced: none is to begin faster.
  if (!ordered_.paths.empty()) session_.send(ordered_);
  events_.up();
  for (const auto& [id, service] : carrier_.all()) {
    if (!service.visiting() && !service.open) end(id);
  }
  tell_kept();
}

// Ids in order, as many as fit in each message; what lies between two messages is gone as well.
void Peering::tell_kept() {
  Kept kept{.from = 1};
  for (const auto& [id, service] : carrier_.all()) {
    if (service.visiting()) continue;
    if (kept.ids.size() == Kept::kIdsMax) {
      session_.send(kept);
      kept = {.from = kept.to + 1};
    }
    kept.ids.push_back(id);
    kept.to = id;
  }
  kept.to = Kept::kIdMax;
  session_.send(kept);
}

void Peering::greet(const Hello& hello, bool anew) const {
  spdlog::info("control session with {} is up{}, at {}", hello.gateway, anew ? "" : " again",
               reached_at());
  const auto& ours = config_.peer.paths;
  for (const Hello::Path& theirs : hello.paths) {
    const auto path = std::find_if(ours.begin(), ours.end(),
                                   [&](const PathConfig& p) { return p.id == theirs.id; });
    if (path == ours.end()) {
      spdlog::warn("{} has a path {} that this gateway does not have: nothing will arrive on it",
                   hello.gateway, theirs.id);
    } else if (path->peer_address.is_given() && path->peer_address != theirs.address) {
      spdlog::info("path {}: {} has the address {} there; configured is {}", theirs.id,
                   hello.gateway, to_string(theirs.address), to_string(path->peer_address));
    }
  }
}

void Peering::forget_all_but(const Kept& kept) {
  const auto visitors = visitors_;
  for (const auto& [peer_id, id] : visitors) {
    if (peer_id < kept.from || peer_id > kept.to) continue;
    if (!std::binary_search(kept.ids.begin(), kept.ids.end(), peer_id)) remove_visitor(peer_id);
  }
}

// Another instance of the peer: its lanes and numbers start from the beginning, so ours must too.
void Peering::start_anew() {
  const auto visitors = visitors_;
  for (const auto& [peer_id, id] : visitors) remove_visitor(peer_id);
  carrier_.set_house(carrier_.new_receiver(dataplane::kHouseSlot), 0);
  for (const auto& [id, service] : carrier_.all()) {
    if (!service.visiting()) carrier_.renew_receiver(*carrier_.find(id));
  }
}

void Peering::tell(const Ordered& ordered) {
  if (ordered == ordered_) return;
  ordered_ = ordered;
  session_.send(ordered_);
}

void Peering::announce(const Carried& service, const Carriage& towards_us) {
  session_.send(Announce{.service = service.id,
                         .client = service.client,
                         .receiver = service.receiver,
                         .rules = mirrored(service.rules),
                         .towards_us = towards_us});
}

void Peering::receive(const Message& message) {
  if (std::holds_alternative<Ready>(message)) {
    keyring_.send_with_newest();
  } else if (const auto* kept = std::get_if<Kept>(&message)) {
    forget_all_but(*kept);
  } else if (const auto* counted = std::get_if<Counted>(&message)) {
    peer_counted_ = *counted;
  } else if (const auto* limits = std::get_if<Limits>(&message)) {
    if (events_.limits) events_.limits(*limits);
  } else if (const auto* ordered = std::get_if<Ordered>(&message)) {
    peer_ordered_ = *ordered;
  } else if (const auto* house = std::get_if<House>(&message)) {
    carrier_.set_house(carrier_.house_receiver(), house->receiver);
  } else if (const auto* announce = std::get_if<Announce>(&message)) {
    receive_announce(*announce);
  } else if (const auto* accept = std::get_if<Accept>(&message)) {
    Carried* service = carrier_.find(accept->service);
    if (service != nullptr && !service->visiting())
      carrier_.set_peer_receiver(*service, accept->receiver);
  } else if (const auto* refuse = std::get_if<Refuse>(&message)) {
    events_.refused(refuse->service, refuse->reason);
  } else if (const auto* end = std::get_if<End>(&message)) {
    if (Carried* service = visitor(end->service)) carrier_.close(*service);
  } else if (const auto* gone = std::get_if<Gone>(&message)) {
    remove_visitor(gone->service);
  }
}

void Peering::receive_announce(const Announce& announce) {
  if (const std::string why = objection(announce); !why.empty()) {
    spdlog::warn("service {} of {} refused: {}", announce.service, config_.peer.name, why);
    return session_.send(Refuse{announce.service, why});
  }
  const Carriage& carriage = announce.towards_us;
  Carried* service = visitor(announce.service);
  if (service == nullptr) {
    const uint64_t id = Carried::kVisitor | ++visitors_seen_;
    const auto added = carrier_.add(id, announce.client, announce.rules, carriage);
    if (!added) return session_.send(Refuse{announce.service, added.error()});
    visitors_[announce.service] = id;
    service = *added;
    spdlog::info("carrying service {} of {} for client {}", announce.service, config_.peer.name,
                 announce.client);
  }
  carrier_.set_rules(*service, announce.rules);
  carrier_.set_carriage(*service, carriage);
  carrier_.set_peer_receiver(*service, announce.receiver);
  session_.send(Accept{announce.service, service->receiver});
}

std::string Peering::objection(const Announce& announce) const {
  for (const TrafficRule& rule : announce.rules) {
    if (!within(rule.source, config_.lan_prefixes)) {
      return to_string(rule.source) + " is not behind " + config_.name;
    }
    if (!within(rule.destination, config_.peer.prefixes)) {
      return to_string(rule.destination) + " is not among peer.prefixes of " + config_.name;
    }
  }
  for (size_t p = 0; p < announce.towards_us.weights.size(); ++p) {
    const bool known = std::any_of(config_.peer.paths.begin(), config_.peer.paths.end(),
                                   [p](const PathConfig& path) { return path.id == p; });
    if (announce.towards_us.weights[p] != 0 && !known)
      return "path " + std::to_string(p) + " is not configured at " + config_.name;
  }
  return {};
}

Carried* Peering::visitor(uint64_t peer_id) {
  const auto found = visitors_.find(peer_id);
  return found == visitors_.end() ? nullptr : carrier_.find(found->second);
}

void Peering::remove_visitor(uint64_t peer_id) {
  const auto found = visitors_.find(peer_id);
  if (found == visitors_.end()) return;
  const uint64_t id = found->second;
  visitors_.erase(found);
  carrier_.withdraw(*carrier_.find(id), [this, id] { carrier_.forget(id); });
}

}  // namespace anabranch::control
