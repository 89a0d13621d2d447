// SPDX-License-Identifier: BSD-3-Clause
// The journal's frames as they are on disk (journal.h). Host byte order: a journal stays on its
// machine.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "billing/usage.h"

namespace anabranch::billing {

inline constexpr size_t kBlock = 4096;         // O_DIRECT's granule on every disk we know
inline constexpr size_t kFrameMax = 1u << 20;  // one write
inline constexpr uint64_t kFrameMagic = 0x3152466e72754f41;

struct FrameHeader {
  uint64_t magic = kFrameMagic;
  uint64_t sequence = 0;
  uint32_t records = 0;
  uint32_t records_crc = 0;
  uint32_t previous_crc = 0;  // records_crc of the frame before
  uint32_t zero[8] = {};
  uint32_t header_crc = 0;  // of all before
};
static_assert(sizeof(FrameHeader) == 64);

inline constexpr size_t kRecordsPerFrame = (kFrameMax - sizeof(FrameHeader)) / sizeof(UsageRecord);

constexpr size_t frame_length(size_t records) {
  return (sizeof(FrameHeader) + records * sizeof(UsageRecord) + kBlock - 1) / kBlock * kBlock;
}

uint32_t crc32c(const void* data, size_t length);

// Writes a frame into `out` (at least frame_length(records) octets); returns its length.
size_t encode_frame(std::span<uint8_t> out, uint64_t sequence, uint32_t previous_crc,
                    std::span<const UsageRecord> records);

// The header at the start of `bytes`, when it is one: magic, its CRC, and a count that fits.
std::optional<FrameHeader> decode_header(std::span<const uint8_t> bytes);
// True when the records behind the header are all there and right.
bool records_intact(std::span<const uint8_t> frame, const FrameHeader& header);

}  // namespace anabranch::billing
