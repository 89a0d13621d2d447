// SPDX-License-Identifier: BSD-3-Clause
// What two gateways say to each other on the control session. Each message is a JSON object behind
// a 4-octet big-endian length, at most kMessageMax octets. Unknown types, fields out of range and
// missing fields end the session: a peer that speaks otherwise is not our peer.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

#include "control/compile.h"
#include "control/documents.h"
#include "control/scenario.h"
#include "dataplane/cipher.h"

namespace anabranch::control {

inline constexpr size_t kMessageMax = 64 * 1024;
inline constexpr size_t kAnnouncedRulesMax = 64;  // of one service; all of them fit a message
inline constexpr int kSessionVersion = 2;

// First in each connection. `instance` is random and new with each start of the gateway: lanes and
// numbers of an older instance are void. The connecting side numbers the key phase that comes from
// this handshake and names the ciphers it allows, the preferred first; the other answers with the
// same phase and its choice.
struct Hello {
  int version = kSessionVersion;
  std::string gateway;
  uint64_t instance = 0;
  struct Path {
    uint8_t id = 0;
    Ip address;  // the sender's own on it, which a NAT may change on the way
  };
  std::vector<Path> paths;
  uint8_t phase = 0;
  std::vector<dataplane::Cipher> ciphers;
};
// The sender opens segments of this connection's key phase from now on.
struct Ready {};
// The listening side wants a new key phase.
struct Rekey {};
// The receiver index for beats; answers every hello.
struct House {
  uint32_t receiver = 0;
};
// A service as the other gateway shall carry it: which packets of its LAN (source is its side), how
// they are to be segmented, dispersed and assembled, and our receiver index for them.
struct Announce {
  uint64_t service = 0;
  std::string client;
  uint32_t receiver = 0;
  std::vector<TrafficRule> rules;
  Carriage towards_us;
};
struct Accept {
  uint64_t service = 0;
  uint32_t receiver = 0;
};
struct Refuse {
  uint64_t service = 0;
  std::string reason;
};
// No new traffic into the service; what is under way may still arrive.
struct End {
  uint64_t service = 0;
};
// Nothing of it will come any more; forget it.
struct Gone {
  uint64_t service = 0;
};
// All services of the sender from one id to another that were not told to be gone: whatever else
// the receiver carries for it between them was given up while they could not speak.
struct Kept {
  static constexpr size_t kIdsMax = 2048;  // so many fit a message
  static constexpr uint64_t kIdMax = UINT64_MAX >> 1;
  uint64_t from = 0, to = 0;
  std::vector<uint64_t> ids;
};
// Octets of outer IP packets a gateway counted on a path, each way, since its meters began. The
// bill goes by the gateway that has the uplink; the peer's count is evidence.
struct Counted {
  struct Path {
    uint8_t id = 0;
    uint64_t sent = 0, received = 0;
  };
  std::vector<Path> paths;
};
// What of its paths' quotas is left for what the receiver sends, from now on; again whenever it is
// told. A path that is not named has none.
struct Limits {
  static constexpr uint64_t kNone = UINT64_MAX;
  struct Path {
    uint8_t id = 0;
    uint64_t left = kNone;  // octets of outer IP packets
    uint64_t slow_bps = 0;  // what the path may be given then; 0: nothing
    bool used_up = false;   // also for what the sender sends
    bool operator==(const Path&) const = default;
  };
  std::vector<Path> paths;
  bool operator==(const Limits&) const = default;
};
// What the sender has of its paths by an order: the receiver paces what it sends on them at no
// more, until it is told otherwise. A path that is not named is all the sender's.
struct Ordered {
  struct Path {
    uint8_t id = 0;
    uint64_t rate_bps = 0;  // 0: it is all the sender's, or nothing is ordered of it
    bool operator==(const Path&) const = default;
  };
  std::vector<Path> paths;
  bool operator==(const Ordered&) const = default;
};
// Every second, so that a dead session is noticed.
struct Alive {};

using Message = std::variant<Hello, Ready, Rekey, House, Announce, Accept, Refuse, End, Gone, Kept,
                             Counted, Limits, Ordered, Alive>;

std::string encode(const Message& message);  // without the length
tl::expected<Message, std::string> decode(std::string_view text);

}  // namespace anabranch::control
