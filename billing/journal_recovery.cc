// SPDX-License-Identifier: BSD-3-Clause
// Where the journal goes on: found from its last segment, which says what the meters were when it
// began.
#include <cerrno>
#include <cstring>
#include <random>

#include "billing/journal.h"
#include "billing/journal_reader.h"

namespace anabranch::billing {

void Journal::remove_unfinished() {
  std::vector<std::string> names;
  if (disk_.list(options_.folder, names) < 0) return;
  for (const std::string& name : names) {
    if (name.ends_with(".journal.new")) disk_.remove(options_.folder + "/" + name);
  }
}

// The last that was begun; behind it there may be empty ones. 0: there is none.
tl::expected<uint64_t, std::string> Journal::last_segment(const std::vector<uint64_t>& numbers) {
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    auto segment = SegmentReader::open(disk_, options_.folder, *number);
    if (!segment)
      return tl::unexpected("journal " + segment_name(options_.folder, *number) +
                            ": cannot be opened: " + std::strerror(segment.error()));
    if (segment->begun() || segment->error() != 0) return *number;
    if (segment->format_one())
      return tl::unexpected(
          "journal " + segment->name() +
          ": written by an earlier version, in a format without a catalogue; have that version "
          "charge it (anabranch flush), end it, and move the folder away: the ledger knows how far "
          "each meter is charged");
    if (segment->later_write({.segment = *number})) return *number;  // damaged: the reader says how
  }
  return 0;
}

void Journal::take(const JournalFrame& frame) {
  const FrameHeader& header = frame.header;
  if (header.type == FrameType::opening) {
    opening_ = parse_opening(frame.text()).value_or(Opening{});
    acked_ = {.segment = frame.segment};
    if (!opening_.gateway.empty() && catalogue_.gateway.empty())
      catalogue_.gateway = opening_.gateway;
  }
  if (header.type == FrameType::catalogue) {
    Catalogue said = catalogue_;
    if (add_frame(said, frame.text())) {
      if (!options_.gateway.empty()) said.gateway = options_.gateway;
      catalogue_ = std::move(said);
    }
    ++acked_.catalogue;
  }
  for (const TotalRecord& total : frame.totals()) {
    meters_[total.key] = {total.octets, total.packets, total.wall_ns, 0};
    ++acked_.totals;
  }
  for (const UsageRecord& record : frame.usage())
    meters_[record.key] = {record.octets_to, record.packets_to, record.wall_to_ns, 0};
  if (header.type != FrameType::usage) return;
  const bool first = acked_.wall_first_ns == 0 && acked_.wall_last_ns == 0;
  acked_.wall_first_ns =
      first ? header.wall_first_ns : std::min(acked_.wall_first_ns, header.wall_first_ns);
  acked_.wall_last_ns =
      first ? header.wall_last_ns : std::max(acked_.wall_last_ns, header.wall_last_ns);
}

// Reads from this segment to the end. False: this segment's beginning is incomplete, so that meters
// are known from the one before.
tl::expected<bool, std::string> Journal::take_from(uint64_t number) {
  FolderReader reader(disk_, options_.folder, {.from = {.segment = number}});
  bool trailer = false;
  std::optional<bool> first_whole;
  const auto whole = [this] {
    return acked_.totals >= opening_.totals && acked_.catalogue >= opening_.catalogue_frames;
  };
  for (;;) {
    const auto frame = reader.next();
    if (!frame) return tl::unexpected(frame.error().text());
    if (!*frame) break;
    if ((*frame)->segment != number && !first_whole) first_whole = whole();
    take(**frame);
    trailer = (*frame)->header.type == FrameType::trailer;
  }
  journal_id_ = reader.journal_id();
  acked_.segment = reader.position().segment;
  acked_.offset = reader.position().offset;
  acked_.next_sequence = reader.position().next_sequence;
  acked_.crc = reader.position().previous_crc;
  // A segment that was rewritten, or whose beginning is incomplete, is not written to.
  if (trailer || !whole()) return first_whole.value_or(whole());
  if (auto opened = open_segment(acked_.segment); !opened) return tl::unexpected(opened.error());
  acked_.totals = acked_.catalogue = 0;
  return first_whole.value_or(true);
}

void Journal::tell_of_torn_frame() {
  if (fd_ < 0 || acked_.offset >= segment_size_) return;
  auto segment = SegmentReader::open(disk_, options_.folder, acked_.segment);
  if (segment && !segment->zero_at(acked_.offset))
    tell("journal " + segment->name() + ", offset " + std::to_string(acked_.offset) + ", frame " +
         std::to_string(acked_.next_sequence) +
         ": a write was under way when the process ended; it is written over, the meters cover it");
}

tl::expected<void, std::string> Journal::recover() {
  remove_unfinished();
  const auto numbers = list_segments(disk_, options_.folder);
  if (!numbers) return tl::unexpected(numbers.error().text());
  const auto last = last_segment(*numbers);
  if (!last) return tl::unexpected(last.error());
  if (*last == 0) {
    std::random_device random;
    journal_id_ = (uint64_t{random()} << 32 | random()) | 1;
  } else {
    auto from = std::lower_bound(numbers->begin(), numbers->end(), *last);
    for (;;) {
      meters_.clear();
      const auto whole = take_from(*from);
      if (!whole) return tl::unexpected(whole.error());
      if (*whole || from == numbers->begin()) break;
      --from;
    }
    tell_of_torn_frame();
    for (size_t i = 1; i < numbers->size(); ++i) {
      if ((*numbers)[i] > (*numbers)[i - 1] + 1 && (*numbers)[i] <= *last)
        tell("journal " + segment_name(options_.folder, (*numbers)[i - 1] + 1) +
             ": is missing; see anabranch journal verify " + options_.folder);
    }
  }
  if (acknowledged() < options_.charged_through) {
    tell("journal " + options_.folder + ": ends with frame " + std::to_string(acknowledged()) +
         ", but frame " + std::to_string(options_.charged_through) +
         " was charged: its end is lost. Going on behind it; charged stays charged, and the meters "
         "cover what is not");
    acked_.next_sequence = options_.charged_through + 1;
    opening_flags_ = kAfterLoss;
    close_segment();
  }
  for (const uint64_t number : *numbers) {
    if (number == acked_.segment + 1) ahead_number_ = number;
    // Left by a failed segment that was to be before it.
    if (number > acked_.segment + 1) disk_.remove(segment_name(options_.folder, number));
  }
  return {};
}

}  // namespace anabranch::billing
