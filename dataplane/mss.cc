// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/mss.h"

#include "dataplane/bytes.h"
#include "dataplane/ip_protocol.h"

namespace anabranch::dataplane {

bool clamp_mss(std::span<uint8_t> packet, const PacketView& view, uint16_t mss_max) {
  constexpr uint8_t kSyn = 0x02, kEnd = 0, kNop = 1, kMss = 2;
  if (view.key.protocol != kTcp || view.fragment || view.quoted != 0) return false;
  const auto tcp = packet.first(view.total_length).subspan(view.header_length);
  if (tcp.size() < 20 || (tcp[13] & kSyn) == 0) return false;
  const size_t header = (tcp[12] >> 4) * 4u;
  if (header > tcp.size()) return false;
  for (size_t i = 20; i < header && tcp[i] != kEnd;) {
    if (tcp[i] == kNop) {
      ++i;
      continue;
    }
    if (i + 1 >= header || tcp[i + 1] < 2 || i + tcp[i + 1] > header) return false;
    if (tcp[i] == kMss && tcp[i + 1] == 4) {
      const uint16_t mss = load_be16(&tcp[i + 2]);
      if (mss <= mss_max) return false;
      store_be16(&tcp[i + 2], mss_max);
      uint16_t checksum = load_be16(&tcp[16]);
      // An option at an odd offset straddles two checksum words: the bytes change places (RFC
      // 1624).
      const bool odd = i % 2 != 0;
      const auto swap = [odd](uint16_t v) { return odd ? __builtin_bswap16(v) : v; };
      checksum = adjust_checksum(checksum, swap(mss), swap(mss_max));
      store_be16(&tcp[16], checksum);
      return true;
    }
    i += tcp[i + 1];
  }
  return false;
}

}  // namespace anabranch::dataplane
