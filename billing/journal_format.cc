// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal_format.h"

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

#include <array>
#include <cstddef>
#include <cstring>

namespace anabranch::billing {
namespace {

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82f63b78u : 0);
    table[i] = c;
  }
  return table;
}
constexpr auto kTable = make_table();

uint32_t by_table(uint32_t crc, const uint8_t* bytes, size_t length) {
  for (size_t i = 0; i < length; ++i) crc = (crc >> 8) ^ kTable[(crc ^ bytes[i]) & 0xff];
  return crc;
}

#ifdef __x86_64__
[[gnu::target("sse4.2")]] uint32_t by_instruction(uint32_t crc, const uint8_t* bytes,
                                                  size_t length) {
  uint64_t wide = crc;
  for (; length >= 8; bytes += 8, length -= 8) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  return by_table(static_cast<uint32_t>(wide), bytes, length);
}
#endif

}  // namespace

uint32_t crc32c(const void* data, size_t length) {
  const auto* bytes = static_cast<const uint8_t*>(data);
#ifdef __x86_64__
  static const bool instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (instruction) return ~by_instruction(~0u, bytes, length);
#endif
  return ~by_table(~0u, bytes, length);
}

size_t encode_frame(std::span<uint8_t> out, FrameHeader& header, std::span<const uint8_t> payload) {
  const size_t length = frame_length(payload.size());
  header.payload_octets = static_cast<uint32_t>(payload.size());
  header.payload_crc = crc32c(payload.data(), payload.size());
  header.header_crc = crc32c(&header, offsetof(FrameHeader, header_crc));
  std::memcpy(out.data(), &header, sizeof header);
  if (!payload.empty()) std::memcpy(out.data() + sizeof header, payload.data(), payload.size());
  const size_t used = sizeof header + payload.size();
  std::memset(out.data() + used, 0, length - used);
  return length;
}

std::optional<FrameHeader> decode_header(std::span<const uint8_t> bytes) {
  FrameHeader header;
  if (bytes.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kFrameMagic || header.version != kFormatVersion ||
      header.header_crc != crc32c(&header, offsetof(FrameHeader, header_crc)) ||
      header.payload_octets > kPayloadMax) {
    return std::nullopt;
  }
  return header;
}

}  // namespace anabranch::billing
