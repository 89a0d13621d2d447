// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal_segment.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace anabranch::billing {
namespace {

constexpr std::string_view kExtension = ".journal";

}  // namespace

std::string JournalFault::text() const {
  std::string text = "journal " + file + ", offset " + std::to_string(offset);
  if (frame != 0) text += ", frame " + std::to_string(frame);
  text += ": " + what;
  if (!advice.empty()) text += "; " + advice;
  return text;
}

std::string segment_name(const std::string& folder, uint64_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "/%08llu.journal", static_cast<unsigned long long>(number));
  return folder + name;
}

tl::expected<std::vector<uint64_t>, JournalFault> list_segments(Disk& disk,
                                                                const std::string& folder) {
  std::vector<std::string> names;
  if (const int64_t error = disk.list(folder, names); error < 0) {
    return tl::unexpected(JournalFault{
        .file = folder,
        .what = "cannot be listed: " + std::string(std::strerror(static_cast<int>(-error))),
        .advice = "is this the folder of a journal, such as STATE_DIR/journal?"});
  }
  std::vector<uint64_t> numbers;
  for (const std::string& name : names) {
    if (name.size() <= kExtension.size() || !name.ends_with(kExtension)) continue;
    char* end = nullptr;
    const uint64_t number = std::strtoull(name.c_str(), &end, 10);
    if (end == name.c_str() + name.size() - kExtension.size()) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::shared_ptr<uint8_t> ChunkPool::take(size_t octets) {
  const std::lock_guard lock(mutex_);
  auto large_enough = std::find_if(free_.begin(), free_.end(),
                                   [&](const Free& chunk) { return chunk.octets >= octets; });
  if (large_enough == free_.end()) {
    octets = std::bit_ceil(octets);
    large_enough = free_.insert(free_.end(), {aligned_buffer(octets), octets});
    ++made_;
  }
  octets = large_enough->octets;
  AlignedBuffer buffer = std::move(large_enough->bytes);
  free_.erase(large_enough);
  return {buffer.release(), [pool = shared_from_this(), octets](uint8_t* bytes) {
            const std::lock_guard returning(pool->mutex_);
            pool->free_.push_back({AlignedBuffer(bytes), octets});
          }};
}

size_t ChunkPool::made() const {
  const std::lock_guard lock(mutex_);
  return made_;
}

SegmentReader::SegmentReader(Disk& disk, std::string name, uint64_t number, int fd,
                             std::shared_ptr<ChunkPool> pool)
    : disk_(&disk),
      name_(std::move(name)),
      number_(number),
      file_(std::make_unique<Close>(disk, fd)),
      pool_(std::move(pool)) {
  refresh();
}

tl::expected<SegmentReader, int> SegmentReader::open(Disk& disk, const std::string& folder,
                                                     uint64_t number,
                                                     std::shared_ptr<ChunkPool> pool) {
  const std::string name = segment_name(folder, number);
  const int64_t fd = disk.open(name, Disk::Access::read);
  if (fd < 0) return tl::unexpected(static_cast<int>(-fd));
  return SegmentReader(disk, name, number, static_cast<int>(fd), std::move(pool));
}

void SegmentReader::refresh() {
  const int64_t size = disk_->size(file_->fd);
  size_ = size < 0 ? 0 : static_cast<uint64_t>(size);
  error_ = size < 0 ? static_cast<int>(-size) : 0;
  chunk_.reset();
  chunk_octets_ = 0;
  wanted_ = 64u << 10;
}

std::span<const uint8_t> SegmentReader::view(uint64_t offset, size_t octets) {
  if (offset + octets > size_) return {};
  if (chunk_ == nullptr || offset < chunk_from_ || offset + octets > chunk_from_ + chunk_octets_) {
    wanted_ = std::min(ChunkPool::kOctets, std::max(wanted_ * 2, octets));
    const size_t want = std::min<uint64_t>(wanted_, size_ - offset);
    chunk_.reset();
    chunk_ = pool_->take(want);
    chunk_from_ = offset;
    chunk_octets_ = 0;
    while (chunk_octets_ < want) {
      const int64_t n = disk_->read(file_->fd, {chunk_.get() + chunk_octets_, want - chunk_octets_},
                                    offset + chunk_octets_);
      if (n < 0 && n == -EINTR) continue;
      if (n < 0) error_ = static_cast<int>(-n);
      if (n <= 0) break;
      chunk_octets_ += static_cast<size_t>(n);
    }
    if (chunk_octets_ < octets) return {};
  }
  return {chunk_.get() + (offset - chunk_from_), octets};
}

std::optional<FrameHeader> SegmentReader::header_at(uint64_t offset) {
  return decode_header(view(offset, sizeof(FrameHeader)));
}

bool SegmentReader::intact_at(uint64_t offset) {
  const auto header = header_at(offset);
  if (!header || !belongs(*header, offset)) return false;
  const auto bytes = view(offset + sizeof(FrameHeader), header->payload_octets);
  return bytes.size() == header->payload_octets &&
         crc32c(bytes.data(), bytes.size()) == header->payload_crc;
}

bool SegmentReader::follows(const JournalPosition& position, const FrameHeader& header) const {
  if (!belongs(header, position.offset)) return false;
  if (position.offset == 0 && header.type != FrameType::opening) return false;
  if (position.next_sequence == 0) return true;
  if (header.previous_crc != position.previous_crc) return false;
  return header.type == FrameType::trailer ? header.sequence + 1 >= position.next_sequence
                                           : header.sequence == position.next_sequence;
}

std::optional<JournalFrame> SegmentReader::next(JournalPosition& position, const WallRange& range) {
  while (const auto header = header_at(position.offset)) {
    if (!follows(position, *header)) return std::nullopt;
    JournalFrame frame{.segment = number_, .offset = position.offset, .header = *header};
    const bool wanted = header->type != FrameType::usage ||
                        range.meets(header->wall_first_ns, header->wall_last_ns);
    if (wanted) {
      const auto bytes = view(position.offset, sizeof(FrameHeader) + header->payload_octets);
      if (bytes.empty()) return std::nullopt;
      frame.payload = bytes.subspan(sizeof(FrameHeader));
      if (crc32c(frame.payload.data(), frame.payload.size()) != header->payload_crc)
        return std::nullopt;
      frame.buffer = chunk_;
    }
    position.offset += frame_length(header->payload_octets);
    position.next_sequence = header->sequence + 1;
    position.previous_crc = header->header_crc;
    if (header->type == FrameType::trailer && frame.payload.size() == sizeof(Trailer)) {
      Trailer trailer;
      std::memcpy(&trailer, frame.payload.data(), sizeof trailer);
      position.previous_crc = trailer.chain_crc;
    }
    if (wanted) return frame;
  }
  return std::nullopt;
}

std::optional<uint64_t> SegmentReader::later_write(const JournalPosition& end) {
  return find(end.offset + kBlock, [&](const FrameHeader& header, uint64_t offset) {
    return belongs(header, offset) && header.write_block * kBlock > end.offset;
  });
}

bool SegmentReader::format_one() {
  uint64_t magic = 0;
  const auto bytes = view(0, sizeof magic);
  if (!bytes.empty()) std::memcpy(&magic, bytes.data(), sizeof magic);
  return magic == kFormatOneMagic;
}

bool SegmentReader::zero_at(uint64_t offset) {
  const auto bytes = view(offset, kBlock);
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t octet) { return octet == 0; });
}

}  // namespace anabranch::billing
