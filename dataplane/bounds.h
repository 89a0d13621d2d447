// SPDX-License-Identifier: BSD-3-Clause
// Every limit of the data plane, with where it comes from.
#pragma once

#include <cstdint>

namespace anabranch::dataplane {

inline constexpr uint16_t kBurst = 32;           // packets a poll takes from a port
inline constexpr uint8_t kWorkersMax = 16;       // of a gateway, by their octet on the wire
inline constexpr uint16_t kPathsMax = 16;        // path ids are 1..15 on the wire; 0 is invalid
inline constexpr uint16_t kUplinksMax = 8;       // ports towards providers
inline constexpr uint16_t kServicesMax = 16384;  // in force at once; slot 0 is the house
inline constexpr uint16_t kLanes = 256;          // lanes of a service, one octet on the wire
inline constexpr uint16_t kFlowBuckets = 128;    // buckets by which whole flows are dispersed
inline constexpr uint16_t kHouseSlot = 0;

inline constexpr uint8_t kPhasesMax = 16;  // key phases in force at once

// A hole in a lane holds back what 1 Gbit/s brings in 370 ms at 1400 octets.
inline constexpr uint32_t kWindowSize = 32768;
inline constexpr uint16_t kWindows = 1024;  // lanes that may have a hole at once
// Of 64 numbers each: eight held at once in each is what a gateway may hold at most.
inline constexpr uint16_t kPages = 4096;

// A path slower than the fastest by more than this would delay a flow more than it could give.
inline constexpr int64_t kSpreadMaxNs = 100'000'000;

inline constexpr uint16_t kEthernetHeader = 14;
inline constexpr uint16_t kVlanTag = 4;  // octets behind the addresses
inline constexpr uint16_t kEtherTypeIpv4 = 0x0800, kEtherTypeIpv6 = 0x86dd, kEtherTypeVlan = 0x8100;
// Of a port's IP packets. Larger ones take larger buffers, of all packets.
inline constexpr uint16_t kMtuMin = 576, kMtuUsual = 1500, kMtuMax = 9216;

}  // namespace anabranch::dataplane
