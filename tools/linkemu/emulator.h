// SPDX-License-Identifier: BSD-3-Clause
// Links between pairs of interfaces, and a control socket. One thread.
#pragma once

#include <csignal>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "tools/linkemu/packet_socket.h"
#include "tools/linkemu/spec.h"

namespace linkemu {

struct EmulatorOptions {
  std::vector<LinkSpec> links;
  std::string control_socket;
  uint16_t tunnel_port = 9188;
  uint64_t seed = 1;
};

class Emulator {
 public:
  static tl::expected<std::unique_ptr<Emulator>, std::string> open(const EmulatorOptions& options);
  ~Emulator();

  // Until SIGTERM or SIGINT (which must be blocked).
  void run();

  // The control socket's language: "stats", or "set LINK ab|ba|both CHANGE…".
  nlohmann::json answer(const std::string& request);

 private:
  // What arrives at `from` leaves at `to`.
  struct Lane {
    std::string link;
    const char* name;  // "ab" or "ba"
    PacketSocket* from;
    PacketSocket* to;
    Direction direction;
    bool told_checksum = false;
    uint64_t drops_told = 0;
  };
  struct Client {
    int fd;
    uint64_t since_ns;
    std::string in;
  };

  Emulator() = default;
  bool receive(Lane& lane);
  void send_due(Lane& lane, uint64_t now_ns);
  void tell_ring_drops();
  void serve(uint64_t now_ns);
  bool serve(Client& client, uint64_t now_ns);
  void wait(uint64_t now_ns);
  nlohmann::json stats();
  nlohmann::json set(const std::vector<std::string>& words);

  EmulatorOptions options_;
  std::vector<std::unique_ptr<PacketSocket>> sockets_;
  std::deque<Lane> lanes_;
  std::vector<Client> clients_;
  int listener_ = -1;
  int signal_fd_ = -1;
  uint64_t told_at_ns_ = 0;
};

}  // namespace linkemu
