// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "billing/journal_catalogue.h"

namespace anabranch::billing {
namespace {

constexpr const char* kRepair =
    "restore the file from a backup, or accept what is lost: anabranch journal repair";

std::string sequence_range(uint64_t first, uint64_t last) {
  return first == last ? "frame " + std::to_string(first)
                       : "frames " + std::to_string(first) + " to " + std::to_string(last);
}

// What the segment says of the one before it.
std::optional<Opening> opening_of(SegmentReader& segment) {
  JournalPosition start{.segment = segment.number()};
  const auto frame = segment.next(start, {});
  return frame ? parse_opening(frame->text()) : std::nullopt;
}

}  // namespace

FolderReader::FolderReader(Disk& disk, std::string folder, Options options,
                           std::shared_ptr<ChunkPool> pool)
    : disk_(&disk),
      folder_(std::move(folder)),
      options_(options),
      pool_(std::move(pool)),
      position_(options.from) {}

JournalFault FolderReader::fault(std::string what, std::string advice, bool repairable) const {
  return {segment_name(folder_, position_.segment),
          position_.offset,
          position_.next_sequence,
          std::move(what),
          std::move(advice),
          repairable};
}

// Renamed, when another file has what should be here; else written over.
JournalFault FolderReader::not_its_place(std::string what) const {
  const auto numbers = list_segments(*disk_, folder_);
  for (const uint64_t number : numbers ? *numbers : std::vector<uint64_t>()) {
    if (number == position_.segment) continue;
    auto segment = SegmentReader::open(*disk_, folder_, number, pool_);
    const auto header = segment ? segment->header_at(0) : std::nullopt;
    if (header && header->segment == position_.segment && header->block == 0)
      return fault(what + "; this segment is in " + segment->name(),
                   "put each file back under its own name");
  }
  return fault(what, kRepair, true);
}

// Somewhere else in this segment there may be the frame that is missing here.
std::string FolderReader::misdirected() {
  const auto at = segment_->find(0, [this](const FrameHeader& header, uint64_t offset) {
    return header.sequence == position_.next_sequence && header.segment == position_.segment &&
           header.block * kBlock == position_.offset && offset != position_.offset;
  });
  if (!at) return {};
  return "; it was written to offset " + std::to_string(*at) +
         " instead, which also destroyed what was there (a misdirected write: distrust this disk)";
}

JournalFault FolderReader::damaged(std::string more) {
  const auto header = segment_->header_at(position_.offset);
  std::string what = "damaged: ";
  if (!header) {
    what += "no frame is readable here";
  } else if (!segment_->belongs(*header, position_.offset)) {
    what += "the frame here belongs to offset " + std::to_string(header->block * kBlock) +
            " of segment " + std::to_string(header->segment);
  } else if (!segment_->intact_at(position_.offset)) {
    what += "the frame here has another checksum than its content";
  } else {
    what += "the frame here is number " + std::to_string(header->sequence) +
            " and does not follow the one before";
  }
  return fault(what + more + misdirected(), kRepair, true);
}

tl::expected<FolderReader::Follower, JournalFault> FolderReader::follower() {
  const auto numbers = list_segments(*disk_, folder_);
  if (!numbers) return tl::unexpected(numbers.error());
  const auto next = std::upper_bound(numbers->begin(), numbers->end(), position_.segment);
  if (next == numbers->end()) return Follower{};
  Follower follower{.number = *next};
  if (auto segment = SegmentReader::open(*disk_, folder_, *next, pool_)) {
    const auto header = segment->header_at(0);
    const bool ours = header && (journal_id_ == 0 || header->journal == journal_id_);
    if (ours && segment->belongs(*header, 0))
      follower.opening = header;
    else
      follower.foreign = foreign(*segment);
  }
  return follower;
}

// A file that is whole, but not the one that should have this name.
std::string FolderReader::foreign(SegmentReader& segment) const {
  const auto header = segment.header_at(0);
  if (!header || header->block != 0 || header->type != FrameType::opening) return {};
  if (journal_id_ != 0 && header->journal != journal_id_)
    return "this segment is of another journal";
  const auto own = segment.find(
      0, [&](const FrameHeader& h, uint64_t offset) { return segment.belongs(h, offset); });
  return own ? ""
             : "this file holds segment " + std::to_string(header->segment) +
                   ": files were renamed or copied";
}

bool FolderReader::follows(const FrameHeader& opening) const {
  if ((opening.flags & kAfterSuspect) != 0) return opening.sequence <= position_.next_sequence;
  if ((opening.flags & kAfterLoss) != 0) return opening.sequence >= position_.next_sequence;
  return opening.sequence == position_.next_sequence &&
         opening.previous_crc == position_.previous_crc;
}

// A segment whose usage is all at other times. Which times is told by the one that follows.
bool FolderReader::outside(uint64_t number) {
  if (options_.range.all()) return false;
  auto next = SegmentReader::open(*disk_, folder_, number + 1, pool_);
  if (!next) return false;
  const auto opening = opening_of(*next);
  if (!opening || opening->previous_segment != number) return false;
  return opening->previous_wall_last_ns == 0 ||
         !options_.range.meets(opening->previous_wall_first_ns, opening->previous_wall_last_ns);
}

FolderReader::Result FolderReader::enter(uint64_t number) {
  position_ = {.segment = number};
  segment_.reset();
  auto segment = SegmentReader::open(*disk_, folder_, number, pool_);
  if (!segment)
    return tl::unexpected(
        fault("cannot be opened: " + std::string(std::strerror(segment.error())), ""));
  segment_.emplace(std::move(*segment));
  // What the next segment does not count as part of this one was written again there.
  const auto next = follower();
  if (!next) return tl::unexpected(next.error());
  superseded_from_ = next->opening && (next->opening->flags & kAfterSuspect) != 0
                         ? next->opening->sequence
                         : std::numeric_limits<uint64_t>::max();
  return Step::again;
}

// At the start, and where a segment that was being read is no longer as it was: retired, compacted.
FolderReader::Result FolderReader::open_current() {
  if (position_.segment == 0 || position_.next_sequence == 0) {
    const auto numbers = list_segments(*disk_, folder_);
    if (!numbers) return tl::unexpected(numbers.error());
    if (position_.segment == 0) {
      if (numbers->empty()) return Step::end;
      size_t at = 0;
      while (at + 1 < numbers->size() && outside((*numbers)[at])) ++at;
      position_.segment = (*numbers)[at];
    }
  } else if (position_.offset > 0) {
    const auto next = follower();
    if (!next) return tl::unexpected(next.error());
    if (next->opening && next->opening->sequence == position_.next_sequence &&
        next->opening->previous_crc == position_.previous_crc)
      return enter(next->number);
  }
  const JournalPosition at = position_;
  auto entered = enter(at.segment);
  position_ = at;
  return entered;
}

FolderReader::Result FolderReader::at_end() {
  if (!options_.check_tail) return Step::end;
  if (const auto header = segment_->header_at(0);
      header && !segment_->belongs(*header, 0) && position_.offset == 0)
    return tl::unexpected(damaged(": files were renamed or copied here"));
  auto later = segment_->later_write(position_);
  if (!later && misdirected().empty()) return Step::end;
  // The gateway may have written in between.
  const uint64_t was = position_.offset;
  segment_->refresh();
  if (segment_->intact_at(was)) {
    JournalPosition probe = position_;
    if (segment_->next(probe, {})) return Step::again;
  }
  return tl::unexpected(damaged(
      later ? ", though one that was written later is, at offset " + std::to_string(*later) : ""));
}

// A segment without an opening is empty, made ahead of need; frames in it or behind it are damage.
FolderReader::Result FolderReader::lost_opening(uint64_t number) {
  const auto numbers = list_segments(*disk_, folder_);
  if (!numbers) return tl::unexpected(numbers.error());
  std::string behind;
  for (const uint64_t later : *numbers) {
    if (later < number || !behind.empty()) continue;
    auto segment = SegmentReader::open(*disk_, folder_, later, pool_);
    if (!segment) continue;
    if (later > number && segment->begun())
      behind = ", though segment " + std::to_string(later) + " was written later";
    if (!behind.empty() || !options_.check_tail) continue;
    if (const auto frame = segment->later_write({.segment = later}))
      behind = ", though one that was written later is, at offset " + std::to_string(*frame) +
               " of segment " + std::to_string(later);
  }
  if (behind.empty()) return Step::end;
  auto segment = SegmentReader::open(*disk_, folder_, number, pool_);
  if (!segment || segment->begun()) return Step::end;  // written in the meantime
  position_ = {.segment = number,
               .offset = 0,
               .next_sequence = position_.next_sequence,
               .previous_crc = position_.previous_crc};
  segment_.emplace(std::move(*segment));
  return tl::unexpected(damaged(behind));
}

// No further frame here: is that the end of the segment, of the journal, or damage?
FolderReader::Result FolderReader::leave_segment() {
  const auto next = follower();
  if (!next) return tl::unexpected(next.error());
  if (!next->foreign.empty()) {
    position_ = {.segment = next->number, .offset = 0, .next_sequence = position_.next_sequence};
    return tl::unexpected(not_its_place(next->foreign));
  }
  if (next->number == 0 || !next->opening) {
    if (next->number != 0) {
      if (const auto lost = lost_opening(next->number); !lost) return lost;
    }
    return at_end();
  }
  const FrameHeader& opening = *next->opening;
  if (position_.next_sequence == 0)
    return tl::unexpected(
        damaged(", and the next segment begins with frame " + std::to_string(opening.sequence)));
  if (!follows(opening)) {
    if (next->number != position_.segment + 1) {
      JournalFault missing = fault(
          "segments are missing: " + sequence_range(position_.next_sequence, opening.sequence - 1),
          kRepair, true);
      missing.file = segment_name(folder_, position_.segment + 1);
      missing.offset = 0;
      return tl::unexpected(missing);
    }
    if (opening.sequence > position_.next_sequence)
      return tl::unexpected(
          damaged(", and the next segment begins with frame " + std::to_string(opening.sequence)));
    return tl::unexpected(damaged(": the next segment, beginning with frame " +
                                  std::to_string(opening.sequence) + ", is of another history"));
  }
  uint64_t number = next->number;
  if (!options_.range.all()) {
    const auto numbers = list_segments(*disk_, folder_);
    if (!numbers) return tl::unexpected(numbers.error());
    while (outside(number) && number < numbers->back()) ++number;
  }
  return enter(number);
}

tl::expected<std::optional<JournalFrame>, JournalFault> FolderReader::next() {
  for (;;) {
    if (!segment_) {
      const auto opened = open_current();
      if (!opened) return tl::unexpected(opened.error());
      if (*opened == Step::end) return std::nullopt;
    }
    const bool superseded = position_.next_sequence >= superseded_from_;
    auto frame = superseded ? std::nullopt : segment_->next(position_, options_.range);
    if (frame) {
      if (journal_id_ == 0) journal_id_ = frame->header.journal;
      seen_ = frame->header.sequence;
      return frame;
    }
    if (segment_->error() != 0)
      return tl::unexpected(
          fault("cannot be read: " + std::string(std::strerror(segment_->error())), kRepair, true));
    if (position_.offset == 0) {
      if (const std::string what = foreign(*segment_); !what.empty())
        return tl::unexpected(not_its_place(what));
    }
    const auto left = leave_segment();
    if (!left) return tl::unexpected(left.error());
    if (*left == Step::end) {
      segment_->refresh();
      return std::nullopt;
    }
  }
}

bool FolderReader::resync() {
  if (segment_ && segment_->number() == position_.segment) {
    segment_->refresh();
    const auto behind = segment_->find(
        position_.offset + kBlock, [this](const FrameHeader& header, uint64_t offset) {
          return segment_->belongs(header, offset) && header.sequence > seen_ &&
                 (journal_id_ == 0 || header.journal == journal_id_);
        });
    if (behind) {
      position_ = {.segment = position_.segment, .offset = *behind};
      return true;
    }
  }
  for (;;) {
    const auto next = follower();
    if (!next || next->number == 0) return false;
    position_ = {.segment = next->number};
    segment_.reset();
    if (!next->opening) {
      auto segment = SegmentReader::open(*disk_, folder_, next->number, pool_);
      if (!segment) continue;
      segment_.emplace(std::move(*segment));
      return resync();
    }
    if (next->opening->segment == next->number) return true;
  }
}

JournalReader::JournalReader(std::vector<std::string> folders, WallRange range, Disk& disk) {
  auto pool = std::make_shared<ChunkPool>();
  for (std::string& folder : folders)
    journals_.emplace_back(disk, std::move(folder), FolderReader::Options{.range = range}, pool);
}

tl::expected<std::optional<JournalFrame>, JournalFault> JournalReader::next() {
  for (; at_ < journals_.size(); ++at_) {
    auto frame = journals_[at_].next();
    if (!frame) return frame;
    if (*frame) {
      (*frame)->journal = at_;
      return frame;
    }
  }
  return std::nullopt;
}

tl::expected<std::vector<SegmentSpan>, JournalFault> segment_spans(Disk& disk,
                                                                   const std::string& folder) {
  const auto numbers = list_segments(disk, folder);
  if (!numbers) return tl::unexpected(numbers.error());
  std::vector<SegmentSpan> spans;
  for (const uint64_t number : *numbers) {
    auto segment = SegmentReader::open(disk, folder, number);
    if (!segment) continue;
    JournalPosition start{.segment = number};
    const auto frame = segment->next(start, {});
    if (!frame) continue;
    const auto opening = parse_opening(frame->text());
    if (opening && !spans.empty() && spans.back().number == opening->previous_segment) {
      spans.back().known = true;
      spans.back().last_sequence = opening->previous_sequence;
      spans.back().wall_first_ns = opening->previous_wall_first_ns;
      spans.back().wall_last_ns = opening->previous_wall_last_ns;
    }
    spans.push_back({.number = number,
                     .octets = segment->size(),
                     .compacted = (frame->header.flags & (kCompacted | kBridged)) != 0});
  }
  return spans;
}

}  // namespace anabranch::billing
