// SPDX-License-Identifier: BSD-3-Clause
// What a gateway has the kernel do on its shared ports, by nftables, in a table of its own:
//   - on each uplink, count our UDP port, in and out: a witness that outlives a killed process;
//   - drop it on the way in, after DPDK's socket has its copy: the kernel has no use for it and
//   would
//     answer "port unreachable";
//   - not forward between the ports: what the gateway carries must not cross twice;
//   - take from the LAN only what is addressed to this machine: of the rest it would say that it
//   has
//     no route.
// The table stays when the gateway ends, in order or not: what the peer sends meanwhile is charged
// by the provider all the same, and the next start books it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

struct nft_ctx;

namespace anabranch::control {

// Octets of IP packets of one uplink, since the table was made.
struct WitnessCount {
  uint64_t sent_octets = 0, sent_packets = 0;
  uint64_t received_octets = 0, received_packets = 0;
};

class Witness {
 public:
  // Goes on with the table of an earlier process when it is for the same ports (reused()), else
  // makes it anew. The error: nftables' own words.
  static tl::expected<Witness, std::string> open(const std::string& gateway, uint16_t udp_port,
                                                 const std::vector<std::string>& uplinks,
                                                 const std::string& lan);
  bool reused() const { return reused_; }

  // In the order of `uplinks`. About a millisecond.
  tl::expected<std::vector<WitnessCount>, std::string> read();

 private:
  struct Free {
    void operator()(nft_ctx* context) const;
  };
  Witness() = default;
  void remove();
  tl::expected<std::string, std::string> run(const std::string& commands);

  std::unique_ptr<nft_ctx, Free> context_;
  std::string table_;
  std::vector<std::string> uplinks_;
  bool reused_ = false;
};

}  // namespace anabranch::control
