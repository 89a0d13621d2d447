// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal_rewrite.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "billing/journal_reader.h"

namespace anabranch::billing {
namespace {

using Status = tl::expected<void, std::string>;

struct Through {
  uint64_t octets = 0, packets = 0;
  int64_t wall_ns = 0;
};
using Meters = std::map<MeterKey, Through>;

// Floor, also for times before 1970.
int64_t slot_of(int64_t wall_ns) {
  return wall_ns / kSlotNs - (wall_ns % kSlotNs < 0 ? 1 : 0);
}

bool within_slot(const UsageRecord& record) {
  return record.wall_from_ns <= record.wall_to_ns &&
         slot_of(record.wall_from_ns) ==
             slot_of(std::max(record.wall_from_ns, record.wall_to_ns - 1));
}

// A segment file under a name that is no segment's, until it is whole.
class SegmentWriter {
 public:
  SegmentWriter(Disk& disk, std::string folder, uint64_t number, const FrameHeader& first)
      : disk_(disk),
        folder_(std::move(folder)),
        name_(segment_name(folder_, number)),
        number_(number),
        journal_(first.journal),
        sequence_(first.sequence),
        crc_(first.previous_crc),
        fd_(disk.open(name_ + ".new", Disk::Access::make)) {
    if (fd_ < 0) error_ = fd_;
  }
  ~SegmentWriter() {
    if (fd_ >= 0) disk_.close(static_cast<int>(fd_));
  }
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  void put(FrameHeader header, std::span<const uint8_t> payload) {
    if (used_ + frame_length(payload.size()) > kFrameMax) flush();
    place(header);
    used_ += encode_frame({buffer_.get() + used_, kFrameMax - used_}, header, payload);
    crc_ = header.header_crc;
    ++sequence_;
  }
  void usage(std::span<const UsageRecord> records, uint8_t flags) {
    for (size_t at = 0; at < records.size(); at += kRecordsPerFrame) {
      const auto part = records.subspan(at, std::min(kRecordsPerFrame, records.size() - at));
      FrameHeader header{
          .type = FrameType::usage, .flags = flags, .count = static_cast<uint32_t>(part.size())};
      header.wall_first_ns = std::numeric_limits<int64_t>::max();
      header.wall_last_ns = std::numeric_limits<int64_t>::min();
      for (const UsageRecord& record : part) {
        const auto [first, last] = std::minmax(record.wall_from_ns, record.wall_to_ns);
        header.wall_first_ns = std::min(header.wall_first_ns, first);
        header.wall_last_ns = std::max(header.wall_last_ns, last);
      }
      put(header, as_octets(part));
    }
  }

  // The new file stands for frames up to `sequence`, after which the chain goes on with `crc`.
  Status finish(uint64_t sequence, uint32_t crc, bool keep_old) {
    if (sequence + 1 < sequence_)
      return tl::unexpected("journal " + name_ +
                            ": the rewritten segment would need more frame "
                            "numbers than it had");
    const uint64_t next = sequence_;
    const Trailer trailer{.chain_crc = crc};
    if (used_ + kBlock > kFrameMax) flush();
    FrameHeader header{.type = FrameType::trailer, .count = 1};
    place(header);
    header.sequence = std::max(sequence, next - 1);
    used_ += encode_frame({buffer_.get() + used_, kFrameMax - used_}, header,
                          as_octets(std::span<const Trailer>(&trailer, 1)));
    flush();
    const auto check = [this](int64_t result) {
      if (error_ >= 0 && result < 0) error_ = result;
    };
    if (error_ >= 0) check(disk_.sync(static_cast<int>(fd_)));
    if (error_ >= 0) check(read_back());
    if (error_ >= 0 && keep_old) check(disk_.link(name_, name_ + ".damaged"));
    if (error_ == -EEXIST || error_ == -ENOENT) error_ = 0;  // kept before; or there was none
    if (error_ >= 0) check(disk_.rename(name_ + ".new", name_));
    if (error_ >= 0) check(disk_.sync_folder(folder_));
    if (error_ >= 0) return {};
    disk_.remove(name_ + ".new");
    return tl::unexpected("journal " + name_ + ".new: cannot be written: " +
                          std::strerror(static_cast<int>(-error_)) + "; the segment is as it was");
  }

 private:
  void place(FrameHeader& header) const {
    header.sequence = sequence_;
    header.journal = journal_;
    header.segment = static_cast<uint32_t>(number_);
    header.block = static_cast<uint32_t>((flushed_ + used_) / kBlock);
    header.write_block = 0;  // the file is whole or not there
    header.previous_crc = crc_;
  }
  void flush() {
    for (size_t done = 0; done < used_ && error_ >= 0;) {
      const int64_t n =
          disk_.write(static_cast<int>(fd_), {buffer_.get() + done, used_ - done}, flushed_ + done);
      if (n < static_cast<int64_t>(kBlock))
        error_ = n < 0 ? n : -ENOSPC;
      else
        done += static_cast<size_t>(n) / kBlock * kBlock;
    }
    written_.push_back({flushed_, used_, crc32c(buffer_.get(), used_)});
    flushed_ += used_;
    used_ = 0;
  }
  // What was written may be elsewhere, or nowhere.
  int64_t read_back() {
    for (const auto& [offset, octets, crc] : written_) {
      for (size_t done = 0; done < octets;) {
        const int64_t n =
            disk_.read(static_cast<int>(fd_), {buffer_.get() + done, octets - done}, offset + done);
        if (n <= 0) return n < 0 ? n : -EIO;
        done += static_cast<size_t>(n);
      }
      if (crc32c(buffer_.get(), octets) != crc) return -EIO;
    }
    return 0;
  }

  Disk& disk_;
  std::string folder_, name_;
  uint64_t number_, journal_, sequence_;
  uint32_t crc_;
  int64_t fd_;
  int64_t error_ = 0;
  AlignedBuffer buffer_ = aligned_buffer(kFrameMax);
  size_t used_ = 0;
  uint64_t flushed_ = 0;
  struct Written {
    uint64_t offset;
    size_t octets;
    uint32_t crc;
  };
  std::vector<Written> written_;
};

// Records of the slot under way, in the order in which their meters first came.
class SlotMerger {
 public:
  explicit SlotMerger(SegmentWriter& writer) : writer_(writer) {}
  void add(const JournalFrame& frame) {
    const int64_t slot = slot_of(frame.header.wall_last_ns - 1);
    if (slot != slot_) flush();
    slot_ = slot;
    flags_ |= frame.header.flags;
    for (const UsageRecord& record : frame.usage()) add(record);
  }
  void flush() {
    writer_.usage(records_, flags_ | kCompacted);
    records_.clear();
    at_.clear();
    flags_ = 0;
  }

 private:
  void add(const UsageRecord& record) {
    const auto known = at_.find(record.key);
    if (known != at_.end() && within_slot(record)) {
      UsageRecord& last = records_[known->second];
      const bool continues = within_slot(last) && last.octets_to == record.octets_from &&
                             last.packets_to == record.packets_from &&
                             last.wall_to_ns <= record.wall_from_ns &&
                             slot_of(last.wall_from_ns) == slot_of(record.wall_from_ns);
      if (continues) {
        last.octets_to = record.octets_to;
        last.packets_to = record.packets_to;
        last.wall_to_ns = record.wall_to_ns;
        return;
      }
    }
    at_[record.key] = records_.size();
    records_.push_back(record);
  }

  SegmentWriter& writer_;
  std::vector<UsageRecord> records_;
  std::map<MeterKey, size_t> at_;
  int64_t slot_ = 0;
  uint8_t flags_ = 0;
};

// The opening of the first segment behind `number`, with the totals that follow it.
struct Next {
  FrameHeader opening;
  std::vector<TotalRecord> totals;
};
std::optional<Next> next_segment(Disk& disk, const std::string& folder, uint64_t number) {
  const auto numbers = list_segments(disk, folder);
  if (!numbers) return std::nullopt;
  const auto at = std::upper_bound(numbers->begin(), numbers->end(), number);
  if (at == numbers->end()) return std::nullopt;
  auto segment = SegmentReader::open(disk, folder, *at);
  if (!segment) return std::nullopt;
  JournalPosition position{.segment = *at};
  const auto opening = segment->next(position, {});
  if (!opening) return std::nullopt;
  Next next{opening->header, {}};
  while (const auto frame = segment->next(position, {})) {
    if (frame->header.type != FrameType::totals) break;
    next.totals.insert(next.totals.end(), frame->totals().begin(), frame->totals().end());
  }
  return next;
}

// Where a segment ends: with what the next one says, unless that says that something is lost.
JournalPosition end_of(const std::optional<Next>& next, const JournalPosition& read) {
  if (!next || (next->opening.flags & kAfterLoss) != 0) return read;
  return {.next_sequence = next->opening.sequence, .previous_crc = next->opening.previous_crc};
}

}  // namespace

tl::expected<bool, std::string> compact_segment(Disk& disk, const std::string& folder,
                                                uint64_t number) {
  const auto next = next_segment(disk, folder, number);
  if (!next) return false;
  FolderReader reader(disk, folder, {.from = {.segment = number}, .check_tail = false});
  std::optional<SegmentWriter> writer;
  std::optional<SlotMerger> merger;
  JournalPosition read;
  for (;;) {
    const auto frame = reader.next();
    if (!frame) return tl::unexpected(frame.error().text());
    if (!*frame || (*frame)->segment != number) break;
    const FrameHeader& header = (*frame)->header;
    if (header.type == FrameType::trailer) return false;
    read = reader.position();
    if (!writer) {
      writer.emplace(disk, folder, number, header);
      merger.emplace(*writer);
    }
    if (header.type == FrameType::usage) {
      merger->add(**frame);
    } else {
      FrameHeader same = header;
      if (header.type == FrameType::opening) same.flags |= kCompacted;
      writer->put(same, (*frame)->payload);
    }
  }
  if (!writer) return false;
  merger->flush();
  const JournalPosition end = end_of(next, read);
  const auto finished = writer->finish(end.next_sequence - 1, end.previous_crc, false);
  if (!finished) return tl::unexpected(finished.error());
  return true;
}

tl::expected<bool, std::string> maintain_journal(Disk& disk, const std::string& folder,
                                                 const Maintenance& m) {
  const auto spans = segment_spans(disk, folder);
  if (!spans) return tl::unexpected(spans.error().text());
  uint64_t octets = 0;
  for (const SegmentSpan& span : *spans) octets += span.octets;
  // By age, of usage; a segment without any is as old as may be. A span that is not known is not
  // followed by another, so its end is not known either.
  const auto older = [&](const SegmentSpan& span, int64_t than_ns) {
    return than_ns > 0 && span.wall_last_ns < m.wall_now_ns - than_ns;
  };
  const auto may_go = [&](const SegmentSpan& span) {
    return span.known && span.number < m.current_segment && span.last_sequence <= m.charged_through;
  };
  if (!spans->empty() && may_go(spans->front())) {
    const SegmentSpan& oldest = spans->front();
    const bool too_many = m.retention.keep_octets > 0 && octets > m.retention.keep_octets;
    if (too_many || older(oldest, m.retention.keep_ns)) {
      const std::string name = segment_name(folder, oldest.number);
      int64_t result = disk.remove(name);
      if (result >= 0) result = disk.sync_folder(folder);
      if (result >= 0) return true;
      return tl::unexpected("journal " + name +
                            ": cannot be removed: " + std::strerror(static_cast<int>(-result)));
    }
  }
  for (const SegmentSpan& span : *spans) {
    if (span.compacted || !may_go(span) || !older(span, m.retention.compact_after_ns)) continue;
    return compact_segment(disk, folder, span.number);
  }
  return false;
}

// --- repair

namespace {

// A journal read with its faults: what is whole, in order, and what is not.
class Repair {
 public:
  Repair(Disk& disk, const std::string& folder) : disk_(disk), folder_(folder) {}

  // One segment. True: there was one to repair.
  tl::expected<bool, std::string> one() {
    meters_.clear();
    catalogue_ = {};
    FolderReader reader(disk_, folder_, {});
    std::vector<JournalFrame> frames;  // of the segment under way
    Meters before;
    uint64_t segment = 0;
    std::optional<JournalFault> fault;
    uint64_t damaged = 0;
    JournalPosition read;
    for (;;) {
      auto frame = reader.next();
      if (!frame) {
        if (!frame.error().repairable) return tl::unexpected(frame.error().text());
        const uint64_t where = number_of(frame.error().file);
        if (damaged != 0 && where != damaged) break;
        if (damaged == 0 && where != segment) {
          before = meters_;
          frames.clear();
        }
        damaged = where;
        if (!fault) fault = frame.error();
        if (!reader.resync()) break;
        continue;
      }
      if (!*frame) break;
      if ((*frame)->segment != segment) {
        if (damaged != 0 && (*frame)->segment != damaged) break;
        segment = (*frame)->segment;
        if (damaged == 0) {
          before = meters_;
          frames.clear();
        }
      }
      read = reader.position();
      take(**frame);
      frames.push_back(std::move(**frame));
    }
    if (damaged == 0) return false;
    meters_ = std::move(before);
    auto done = rewrite(damaged, frames, read);
    if (!done) return tl::unexpected(done.error());
    done_.push_back(fault->text() + ". " + *done);
    return true;
  }

  std::vector<std::string> done() && { return std::move(done_); }

 private:
  static uint64_t number_of(const std::string& file) {
    return std::strtoull(file.c_str() + file.rfind('/') + 1, nullptr, 10);
  }
  void take(const JournalFrame& frame) {
    if (id_ == 0) id_ = frame.header.journal;
    if (frame.header.type == FrameType::catalogue) add_frame(catalogue_, frame.text());
    for (const TotalRecord& t : frame.totals()) meters_[t.key] = {t.octets, t.packets, t.wall_ns};
    for (const UsageRecord& r : frame.usage())
      meters_[r.key] = {r.octets_to, r.packets_to, r.wall_to_ns};
  }

  // What lies between what is known of a meter and where it goes on.
  std::optional<UsageRecord> bridge(const MeterKey& key, uint64_t octets, uint64_t packets,
                                    int64_t wall_ns) const {
    const auto known = meters_.find(key);
    if (known == meters_.end() && !from_the_first_) return std::nullopt;
    const Through from = known == meters_.end() ? Through{0, 0, wall_ns} : known->second;
    if (octets <= from.octets && packets <= from.packets) return std::nullopt;
    return UsageRecord{key,
                       from.octets,
                       std::max(octets, from.octets),
                       from.packets,
                       std::max(packets, from.packets),
                       from.wall_ns,
                       wall_ns};
  }

  tl::expected<std::string, std::string> rewrite(uint64_t number, std::vector<JournalFrame>& frames,
                                                 const JournalPosition& read) {
    const auto next = next_segment(disk_, folder_, number);
    std::erase_if(frames, [&](const JournalFrame& f) { return f.segment != number; });
    if (frames.empty() && !next) return move_away(number);
    const bool has_opening =
        !frames.empty() && frames.front().header.type == FrameType::opening && beginning(frames);
    const auto numbers = list_segments(disk_, folder_);
    from_the_first_ =
        has_opening || number == 1 || (numbers && !numbers->empty() && numbers->front() < number);
    FrameHeader first;
    first.journal = id_ != 0 ? id_ : next->opening.journal;
    if (has_opening) {
      first.sequence = frames.front().header.sequence;
      first.previous_crc = frames.front().header.previous_crc;
    } else {
      // Numbers are left for a segment before this one that is not readable yet.
      const uint64_t at_least = before_sequence(number) + 1;
      const uint64_t blocks = frames.empty() ? 0 : frames.front().offset / kBlock;
      const uint64_t seen = frames.empty() ? 0 : frames.front().header.sequence;
      first.sequence = std::max(at_least, seen - std::min(seen, blocks));
      first.previous_crc = before_crc_;
    }
    if (frames.empty() && end_of(next, read).next_sequence <= first.sequence)
      return move_away(number);  // the segments around it leave no room for it
    SegmentWriter writer(disk_, folder_, number, first);
    if (!has_opening) {
      if (!from_the_first_) begin_with_what_is_read(frames, next);
      begin(writer, number, first);
    }
    // Records go close together, so that there are numbers for frames that were not there.
    std::vector<UsageRecord> records;
    uint64_t bridged = 0;
    const auto reach = [&](const MeterKey& key, uint64_t octets, uint64_t packets, int64_t wall) {
      const auto missing = bridge(key, octets, packets, wall);
      if (!missing) return;
      bridged += missing->octets_to - missing->octets_from;
      records.push_back(*missing);
    };
    for (const JournalFrame& frame : frames) {
      const FrameType type = frame.header.type;
      for (const UsageRecord& r : frame.usage()) {
        reach(r.key, r.octets_from, r.packets_from, r.wall_from_ns);
        records.push_back(r);
        meters_[r.key] = {r.octets_to, r.packets_to, r.wall_to_ns};
      }
      for (const TotalRecord& t : frame.totals()) meters_[t.key] = {t.octets, t.packets, t.wall_ns};
      const bool kept = has_opening || type == FrameType::flow;
      if (kept && type != FrameType::usage && type != FrameType::trailer)
        writer.put(frame.header, frame.payload);
    }
    if (next) {
      for (const TotalRecord& t : next->totals) reach(t.key, t.octets, t.packets, t.wall_ns);
    }
    writer.usage(records, kBridged);
    const JournalPosition end = end_of(next, read);
    if (auto finished = writer.finish(end.next_sequence - 1, end.previous_crc, true); !finished)
      return tl::unexpected(finished.error());
    return "Written anew; " + std::to_string(bridged) +
           " octets known only by the readings around them";
  }

  tl::expected<std::string, std::string> move_away(uint64_t number) {
    const std::string name = segment_name(folder_, number);
    int64_t result = disk_.link(name, name + ".damaged");
    if (result >= 0 || result == -EEXIST) result = disk_.remove(name);
    if (result >= 0) result = disk_.sync_folder(folder_);
    if (result >= 0) return "Nothing in it is readable; moved away";
    return tl::unexpected("journal " + name +
                          ": cannot be moved away: " + std::strerror(static_cast<int>(-result)));
  }

  // Nothing is known of what was before: a meter begins where its first record does.
  void begin_with_what_is_read(const std::vector<JournalFrame>& frames,
                               const std::optional<Next>& next) {
    for (const JournalFrame& frame : frames) {
      for (const UsageRecord& r : frame.usage())
        meters_.try_emplace(r.key, Through{r.octets_from, r.packets_from, r.wall_from_ns});
    }
    if (!next) return;
    for (const TotalRecord& t : next->totals)
      meters_.try_emplace(t.key, Through{t.octets, t.packets, t.wall_ns});
  }

  // Opening, totals and catalogue are all there, unbroken.
  static bool beginning(const std::vector<JournalFrame>& frames) {
    const auto opening = parse_opening(frames.front().text());
    if (!opening) return false;
    uint64_t totals = 0, texts = 0, sequence = frames.front().header.sequence;
    for (size_t i = 1;
         i < frames.size() && (totals < opening->totals || texts < opening->catalogue_frames);
         ++i) {
      if (frames[i].header.sequence != ++sequence) return false;
      totals += frames[i].totals().size();
      texts += frames[i].header.type == FrameType::catalogue;
    }
    return totals >= opening->totals && texts >= opening->catalogue_frames;
  }

  // The segment before, whole (or repaired) by now.
  uint64_t before_sequence(uint64_t number) {
    FolderReader reader(disk_, folder_, {.range = {}, .from = {}, .check_tail = false});
    JournalPosition at;
    for (;;) {
      const auto frame = reader.next();
      if (!frame || !*frame || (*frame)->segment >= number) break;
      at = reader.position();
    }
    before_crc_ = at.previous_crc;
    return at.next_sequence == 0 ? 0 : at.next_sequence - 1;
  }

  void begin(SegmentWriter& writer, uint64_t number, const FrameHeader& first) {
    std::vector<TotalRecord> totals;
    for (const auto& [key, t] : meters_) {
      if (t.octets != 0 || t.packets != 0) totals.push_back({key, t.octets, t.packets, t.wall_ns});
    }
    const auto texts = to_frames(catalogue_);
    const std::string opening = to_text(Opening{.journal = first.journal,
                                                .segment = number,
                                                .gateway = catalogue_.gateway,
                                                .totals = totals.size(),
                                                .catalogue_frames = texts.size(),
                                                .previous_segment = number - 1,
                                                .previous_sequence = first.sequence - 1});
    writer.put({.type = FrameType::opening, .flags = kBridged, .count = 1},
               as_octets(std::span<const char>(opening)));
    for (size_t at = 0; at < totals.size(); at += kTotalsPerFrame) {
      const auto part = std::span<const TotalRecord>(totals).subspan(
          at, std::min(kTotalsPerFrame, totals.size() - at));
      writer.put({.type = FrameType::totals, .count = static_cast<uint32_t>(part.size())},
                 as_octets(part));
    }
    for (const std::string& text : texts)
      writer.put({.type = FrameType::catalogue, .count = 1},
                 as_octets(std::span<const char>(text)));
  }

  Disk& disk_;
  const std::string& folder_;
  Meters meters_;
  Catalogue catalogue_;
  uint64_t id_ = 0;
  bool from_the_first_ = true;  // so what is not known of a meter is zero
  uint32_t before_crc_ = 0;
  std::vector<std::string> done_;
};

}  // namespace

tl::expected<std::vector<std::string>, std::string> repair_journal(Disk& disk,
                                                                   const std::string& folder) {
  const int64_t locked = disk.lock(folder + "/lock");
  if (locked < 0)
    return tl::unexpected(
        "journal " + folder +
        (locked == -EWOULDBLOCK
             ? ": in use by another process; end the gateway first"
             : ": cannot be locked: " + std::string(std::strerror(static_cast<int>(-locked)))));
  Repair repair(disk, folder);
  tl::expected<bool, std::string> more = true;
  constexpr int kSegmentsMax = 1'000'000;
  for (int i = 0; i < kSegmentsMax && more && *more; ++i) more = repair.one();
  disk.close(static_cast<int>(locked));
  if (!more) return tl::unexpected(more.error());
  return std::move(repair).done();
}

}  // namespace anabranch::billing
