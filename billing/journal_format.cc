// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal_format.h"

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

}  // namespace

uint32_t crc32c(const void* data, size_t length) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  uint32_t crc = ~0u;
  for (size_t i = 0; i < length; ++i) crc = (crc >> 8) ^ kTable[(crc ^ bytes[i]) & 0xff];
  return ~crc;
}

size_t encode_frame(std::span<uint8_t> out, uint64_t sequence, uint32_t previous_crc,
                    std::span<const UsageRecord> records) {
  const size_t length = frame_length(records.size());
  FrameHeader header;
  header.sequence = sequence;
  header.records = static_cast<uint32_t>(records.size());
  header.records_crc = crc32c(records.data(), records.size_bytes());
  header.previous_crc = previous_crc;
  header.header_crc = crc32c(&header, offsetof(FrameHeader, header_crc));
  std::memset(out.data(), 0, length);
  std::memcpy(out.data(), &header, sizeof header);
  std::memcpy(out.data() + sizeof header, records.data(), records.size_bytes());
  return length;
}

std::optional<FrameHeader> decode_header(std::span<const uint8_t> bytes) {
  FrameHeader header;
  if (bytes.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kFrameMagic ||
      header.header_crc != crc32c(&header, offsetof(FrameHeader, header_crc)) ||
      header.records == 0 || header.records > kRecordsPerFrame ||
      frame_length(header.records) > bytes.size()) {
    return std::nullopt;
  }
  return header;
}

bool records_intact(std::span<const uint8_t> frame, const FrameHeader& header) {
  return crc32c(frame.data() + sizeof header, header.records * sizeof(UsageRecord)) ==
         header.records_crc;
}

}  // namespace anabranch::billing
