// SPDX-License-Identifier: BSD-3-Clause
// Reading the journal: at the start to find its end, later to charge from it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "billing/journal.h"
#include "billing/journal_format.h"

namespace anabranch::billing {
namespace {

using Bytes = std::vector<uint8_t>;

// The file from `from` on.
tl::expected<Bytes, std::string> read_file(const std::string& name, uint64_t from) {
  const int fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return tl::unexpected("journal " + name + ": " + std::strerror(errno));
  const off_t size = lseek(fd, 0, SEEK_END);
  Bytes bytes(static_cast<size_t>(std::max<off_t>(0, size - static_cast<off_t>(from))));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(from + done));
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  close(fd);
  if (done == bytes.size()) return bytes;
  return tl::unexpected("journal " + name + ": cannot be read at offset " +
                        std::to_string(from + done));
}

// The frame at the start of `bytes` when it is the one that follows `position`.
std::optional<FrameHeader> frame_after(const Journal::Position& position,
                                       std::span<const uint8_t> bytes) {
  const auto header = decode_header(bytes);
  const bool follows = header && header->sequence == position.next_sequence &&
                       header->previous_crc == position.previous_crc &&
                       records_intact(bytes, *header);
  return follows ? header : std::nullopt;
}

// What is behind the last frame may be zeros or a torn write, but no later frame.
tl::expected<void, std::string> check_tail(const std::string& name, std::span<const uint8_t> tail,
                                           const Journal::Position& end) {
  for (size_t at = 0; at < tail.size(); at += kBlock) {
    const auto header = decode_header(tail.subspan(at));
    if (!header || header->sequence <= end.next_sequence) continue;
    return tl::unexpected(
        "journal " + name + ": damaged: frame " + std::to_string(end.next_sequence) +
        ", expected at offset " + std::to_string(end.offset) + " of segment " +
        std::to_string(end.segment) + ", is not readable, but frame " +
        std::to_string(header->sequence) + " behind it is; restore the file from a backup");
  }
  return {};
}

}  // namespace

Journal::Position Journal::begin() const {
  const auto numbers = segment_numbers();
  return {.segment = numbers.empty() ? 1 : numbers.front()};
}

tl::expected<void, std::string> Journal::read(Position& position, const Visit& visit) const {
  for (const uint64_t number : segment_numbers()) {
    if (number < position.segment) continue;
    const uint64_t start = number == position.segment ? position.offset : 0;
    const auto bytes = read_file(segment_name(number), start);
    if (!bytes) return tl::unexpected(bytes.error());
    std::span<const uint8_t> rest(*bytes);
    while (const auto header = frame_after(position, rest)) {
      std::vector<UsageRecord> records(header->records);
      std::memcpy(records.data(), rest.data() + sizeof(FrameHeader),
                  records.size() * sizeof(UsageRecord));
      visit(header->sequence, records);
      rest = rest.subspan(frame_length(header->records));
      position = {number, start + bytes->size() - rest.size(), position.next_sequence + 1,
                  header->records_crc};
    }
    if (auto intact = check_tail(segment_name(number), rest, position); !intact) return intact;
  }
  return {};
}

tl::expected<void, std::string> Journal::recover() {
  const auto numbers = segment_numbers();
  if (numbers.empty()) return open_segment(1, true);
  end_ = begin();
  const auto taken = read(end_, [this](uint64_t, std::span<const UsageRecord> records) {
    for (const UsageRecord& record : records) take(record);
  });
  if (!taken) return taken;
  // A newer segment that is still empty is the one to go on in.
  if (numbers.back() != end_.segment) end_.offset = 0;
  return open_segment(numbers.back(), false);
}

}  // namespace anabranch::billing
