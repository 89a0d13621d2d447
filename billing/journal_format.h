// SPDX-License-Identifier: BSD-3-Clause
// The journal's frames as they are on disk (journal.h), format 2. Little-endian: a journal can be
// read on another machine.
//
//   segment file = frames, each of whole blocks, then zeros
//   frame        = header (96 octets), payload, zeros to the end of the block
//
// A header says where its frame belongs (journal, segment, offset), so that a misdirected write or
// a renamed file is known as such, and has the checksum of the header before it (chain). A reader
// skips a type it does not know by its length. Each segment begins with an `opening`, the totals of
// all meters so far and the catalogue, so it can be read without those before it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "billing/usage.h"

namespace anabranch::billing {

static_assert(std::endian::native == std::endian::little);

inline constexpr size_t kBlock = 4096;  // O_DIRECT's granule on every disk we know
inline constexpr const char* kJournalLock =
    "lock";                                    // a file beside the segments, from the beginning
inline constexpr size_t kFrameMax = 1u << 20;  // one write
inline constexpr uint64_t kFrameMagic = 0x324a48434e414241;      // "ABANCHJ2"
inline constexpr uint64_t kFormatOneMagic = 0x3152466e72754f41;  // "AOurnFR1", before catalogues
inline constexpr uint16_t kFormatVersion = 2;

enum class FrameType : uint8_t {
  opening = 1,    // JSON: which journal, which segment, what came before (journal_catalogue.h)
  totals = 2,     // TotalRecord: meters as they were when the segment began
  usage = 3,      // UsageRecord
  catalogue = 4,  // JSON: names of paths and services; adds to what was said before
  trailer = 5,    // Trailer: ends a segment that was rewritten
  flow = 6,       // reserved for flow records, which have a retention of their own
};

// Flags of a frame.
inline constexpr uint8_t kCompacted = 1;  // records were merged into slots of five minutes
inline constexpr uint8_t kBridged = 2;    // records made by repair, from the readings around them
inline constexpr uint8_t kAfterSuspect = 4;  // opening: the segment before ends where this says,
                                             // whatever else is in it
inline constexpr uint8_t kAfterLoss = 8;     // opening: frames before this one are known to be lost

struct FrameHeader {
  uint64_t magic = kFrameMagic;
  uint16_t version = kFormatVersion;
  FrameType type = FrameType::usage;
  uint8_t flags = 0;
  uint32_t count = 0;  // records in the payload; 1 for JSON
  uint32_t payload_octets = 0;
  uint32_t payload_crc = 0;   // CRC-32C
  uint64_t sequence = 0;      // from 1, without gaps
  uint64_t journal = 0;       // random, the same in all of a journal
  uint32_t segment = 0;       // where this frame belongs
  uint32_t block = 0;         // … in blocks from the start of the segment
  int64_t wall_first_ns = 0;  // of usage: all its intervals are within
  int64_t wall_last_ns = 0;
  uint32_t previous_crc = 0;  // header_crc of the frame before
  uint32_t write_block =
      0;  // where the write this frame was part of began: tells torn from damaged
  uint32_t zero[5] = {};
  uint32_t header_crc = 0;  // of all before
};
static_assert(sizeof(FrameHeader) == 96 && offsetof(FrameHeader, header_crc) == 92);

// A meter as it was when a segment began.
struct TotalRecord {
  MeterKey key;
  uint64_t octets = 0, packets = 0;
  int64_t wall_ns = 0;
};
static_assert(sizeof(TotalRecord) == 48);

// The last frame of a rewritten segment. Its sequence is that of the last frame it stands for; the
// chain goes on with `chain_crc`.
struct Trailer {
  uint32_t chain_crc = 0;
  uint32_t zero = 0;
};

inline constexpr size_t kPayloadMax = kFrameMax - sizeof(FrameHeader);
inline constexpr size_t kRecordsPerFrame = kPayloadMax / sizeof(UsageRecord);
inline constexpr size_t kTotalsPerFrame = kPayloadMax / sizeof(TotalRecord);

constexpr size_t frame_length(size_t payload_octets) {
  return (sizeof(FrameHeader) + payload_octets + kBlock - 1) / kBlock * kBlock;
}

// cost: 0.5 cycles an octet with SSE4.2, 3.5 without.
uint32_t crc32c(const void* data, size_t length);

// Completes `header` (lengths, checksums) and writes the frame into `out`, which has room for
// frame_length(payload.size()); returns that length.
size_t encode_frame(std::span<uint8_t> out, FrameHeader& header, std::span<const uint8_t> payload);

template <typename Record>
std::span<const uint8_t> as_octets(std::span<const Record> records) {
  return {reinterpret_cast<const uint8_t*>(records.data()), records.size_bytes()};
}

// The header at the start of `bytes`, when it is one of this version: magic, checksum, a length a
// frame may have.
std::optional<FrameHeader> decode_header(std::span<const uint8_t> bytes);

}  // namespace anabranch::billing
