// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "billing/journal_reader.h"
#include "billing/journal_rewrite.h"

namespace anabranch::billing {
namespace {

constexpr int kTriesMax = 3;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kPrepareAgainNs = 60 * kSecondNs;
// A region is never used again once the machine was started anew; this is only for who brings one
// back from a copy.
constexpr int64_t kRegionKeptNs = 90 * 86'400 * kSecondNs;

bool out_of_space(int64_t result) {
  return result == -ENOSPC || result == -EDQUOT || result == -EFBIG;
}

std::string error_text(int64_t result) {
  return result == CommitQueue::kReadsBackOtherwise
             ? "read again, it is something else: a lost or misdirected write"
             : std::strerror(static_cast<int>(-result));
}

tl::unexpected<std::string> failed(const std::string& what, const std::string& name,
                                   int64_t result) {
  std::string text = "journal " + name + ": " + what + ": " + error_text(result);
  if (out_of_space(result))
    text += "; make room on this disk; nothing is lost, the meters go on counting";
  return tl::unexpected(text);
}

uint64_t mixed(uint64_t x) {
  x *= 0x9e3779b97f4a7c15;
  return x ^ (x >> 29);
}

}  // namespace

size_t Journal::KeyHash::operator()(const MeterKey& key) const {
  const uint64_t rest = uint64_t{key.worker} << 48 | uint64_t{key.path} << 16 |
                        static_cast<uint64_t>(key.direction) << 8 | static_cast<uint64_t>(key.kind);
  return mixed(mixed(key.region) + mixed(key.service + mixed(rest)));
}

Journal::Journal(const JournalOptions& options)
    : options_(options),
      disk_(options.disk != nullptr ? *options.disk : real_disk(options.direct)) {
  catalogue_.gateway = options.gateway;
}

Journal::~Journal() {
  if (flying_) queue_->finish(true);
  if (ahead_.valid()) ahead_.wait();
  close_segment();
  if (lock_fd_ >= 0) disk_.close(lock_fd_);
}

tl::expected<std::unique_ptr<Journal>, std::string> Journal::open(const JournalOptions& options) {
  std::unique_ptr<Journal> journal(new Journal(options));
  int64_t error = 0;
  journal->queue_ = journal->disk_.commit_queue(error);
  if (journal->queue_ == nullptr) return failed("io_uring is not available", options.folder, error);
  if (auto locked = journal->lock(); !locked) return tl::unexpected(locked.error());
  if (auto recovered = journal->recover(); !recovered) return tl::unexpected(recovered.error());
  return journal;
}

tl::expected<void, std::string> Journal::lock() {
  if (const int64_t made = disk_.make_folder(options_.folder); made < 0)
    return failed("cannot be made", options_.folder, made);
  const std::string name = options_.folder + "/" + kJournalLock;
  const int64_t locked = disk_.lock(name);
  if (locked == -EWOULDBLOCK)
    return tl::unexpected("journal " + options_.folder + ": in use by another process");
  if (locked < 0) return failed("cannot be locked", name, locked);
  lock_fd_ = static_cast<int>(locked);
  return {};
}

void Journal::tell(const std::string& what) const {
  if (options_.notice) options_.notice(what);
}

// --- readings → records

size_t Journal::add(std::span<const Reading> readings, int64_t wall_now_ns) {
  wall_now_ns_ = wall_now_ns;
  size_t advanced = 0;
  places_.resize(std::max(places_.size(), readings.size()), nullptr);
  for (size_t i = 0; i < readings.size(); ++i) {
    const Reading& reading = readings[i];
    if (reading.key.region != region_) regions_.insert(region_ = reading.key.region);
    if (places_[i] == nullptr || places_[i]->first != reading.key)
      places_[i] = &*meters_.try_emplace(reading.key, Meter{.wall_ns = wall_now_ns}).first;
    Meter& meter = places_[i]->second;
    if (reading.octets < meter.octets || reading.packets < meter.packets) {
      ++went_backwards_;
      continue;
    }
    const bool same = reading.octets == meter.octets && reading.packets == meter.packets;
    if (!same) {
      ++advanced;
      if (meter.pending >= first_pending_) {
        UsageRecord& record = pending_[meter.pending - first_pending_];
        record.octets_to = reading.octets;
        record.packets_to = reading.packets;
        record.wall_to_ns = wall_now_ns;
      } else {
        meter.pending = first_pending_ + pending_.size();
        pending_.push_back({reading.key, meter.octets, reading.octets, meter.packets,
                            reading.packets, meter.wall_ns, wall_now_ns});
      }
    }
    meter.octets = reading.octets;
    meter.packets = reading.packets;
    meter.wall_ns = wall_now_ns;
  }
  return advanced;
}

tl::expected<size_t, std::string> Journal::record(std::span<const Reading> readings,
                                                  int64_t wall_now_ns) {
  const size_t records = add(readings, wall_now_ns);
  if (auto committed = commit(); !committed) return tl::unexpected(committed.error());
  return records;
}

void Journal::set_catalogue(const Catalogue& catalogue) {
  const Catalogue changes = catalogue_.changes_to(catalogue);
  const bool named = changes.gateway != catalogue_.gateway;
  catalogue_.add(changes);
  if (fd_ < 0 || (changes.paths.empty() && changes.services.empty() && !named)) return;
  for (std::string& frame : to_frames(changes)) catalogue_frames_.push_back(std::move(frame));
}

// --- records → writes

bool Journal::due() const {
  return !pending_.empty() || acked_.catalogue < catalogue_frames_.size();
}

tl::expected<void, std::string> Journal::commit() {
  while (flying_ || encoded_ || due()) {
    if (auto advanced = advance(true); !advanced) return advanced;
  }
  look_ahead();
  return {};
}

tl::expected<void, std::string> Journal::advance(bool wait) {
  if (flying_) {
    // The next is ready when this one is done.
    if (!encoded_ && wait) encoded_ = encode(flying_->after, 1 - flying_->buffer);
    const auto result = queue_->finish(wait);
    if (!result) return {};
    if (*result != static_cast<int64_t>(flying_->length)) return failed_write(*result);
    acked_ = flying_->after;
    spare_ = std::move(flying_->records);
    spare_.clear();
    flying_.reset();
    second_attempt_ = false;
    opening_flags_ = 0;
  }
  if (!encoded_) {
    if (!due()) return {};
    if (fd_ < 0 || acked_.offset + kBlock > segment_size_) {
      if (auto rotated = rotate(); !rotated) {
        forget();
        return rotated;
      }
    }
    encoded_ = encode(acked_, 0);
  }
  if (encoded_) {
    flying_ = std::move(encoded_);
    encoded_.reset();
    queue_->start(flying_->buffer, flying_->length, acked_.offset, options_.read_back);
  }
  return {};
}

// What one more frame's payload may have, in this write and this segment.
uint64_t Journal::room(const Batch& batch) const {
  const uint64_t segment = segment_size_ - std::min(segment_size_, batch.after.offset);
  const uint64_t octets = std::min<uint64_t>(kFrameMax - batch.length, segment);
  return octets < kBlock ? 0 : octets / kBlock * kBlock - sizeof(FrameHeader);
}

template <typename Record>
bool Journal::put(Batch& batch, FrameHeader header, std::span<const Record> records) {
  const auto payload = as_octets(records);
  if (payload.size() > room(batch)) return false;
  header.sequence = batch.after.next_sequence;
  header.journal = journal_id_;
  header.segment = static_cast<uint32_t>(batch.after.segment);
  header.block = static_cast<uint32_t>(batch.after.offset / kBlock);
  header.write_block = static_cast<uint32_t>((batch.after.offset - batch.length) / kBlock);
  header.previous_crc = batch.after.crc;
  const size_t length =
      encode_frame(queue_->buffer(batch.buffer).subspan(batch.length), header, payload);
  batch.length += length;
  batch.after.offset += length;
  ++batch.after.next_sequence;
  batch.after.crc = header.header_crc;
  return true;
}

// The frames that come next, as many as one write takes. A new segment begins with its opening, the
// totals and the catalogue.
std::optional<Journal::Batch> Journal::encode(const End& from, unsigned buffer) {
  Batch batch{.buffer = buffer, .after = from};
  if (from.offset == 0) {
    const std::string text = to_text(opening_);
    put(batch, {.type = FrameType::opening, .flags = opening_flags_, .count = 1},
        std::span<const char>(text));
  }
  while (batch.after.totals < totals_.size()) {
    const size_t count = std::min(
        {totals_.size() - batch.after.totals, kTotalsPerFrame, room(batch) / sizeof(TotalRecord)});
    if (count == 0) break;
    put(batch, {.type = FrameType::totals, .count = static_cast<uint32_t>(count)},
        std::span<const TotalRecord>(totals_).subspan(batch.after.totals, count));
    batch.after.totals += count;
  }
  while (batch.after.totals == totals_.size() && batch.after.catalogue < catalogue_frames_.size() &&
         put(batch, {.type = FrameType::catalogue, .count = 1},
             std::span<const char>(catalogue_frames_[batch.after.catalogue])))
    ++batch.after.catalogue;
  const bool begun =
      batch.after.totals == totals_.size() && batch.after.catalogue == catalogue_frames_.size();
  const size_t count =
      begun ? std::min({pending_.size(), kRecordsPerFrame, room(batch) / sizeof(UsageRecord)}) : 0;
  if (count > 0) {
    if (count == pending_.size()) {
      batch.records.swap(pending_);
      pending_.swap(spare_);
    } else {
      batch.records.assign(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(count));
      pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(count));
    }
    first_pending_ += count;
    FrameHeader header{.type = FrameType::usage, .count = static_cast<uint32_t>(count)};
    header.wall_first_ns = std::numeric_limits<int64_t>::max();
    header.wall_last_ns = std::numeric_limits<int64_t>::min();
    for (const UsageRecord& record : batch.records) {
      const auto [first, last] = std::minmax(record.wall_from_ns, record.wall_to_ns);
      header.wall_first_ns = std::min(header.wall_first_ns, first);
      header.wall_last_ns = std::max(header.wall_last_ns, last);
    }
    End& after = batch.after;
    const bool first_usage = after.wall_first_ns == 0 && after.wall_last_ns == 0;
    after.wall_first_ns =
        first_usage ? header.wall_first_ns : std::min(after.wall_first_ns, header.wall_first_ns);
    after.wall_last_ns =
        first_usage ? header.wall_last_ns : std::max(after.wall_last_ns, header.wall_last_ns);
    put(batch, header, std::span<const UsageRecord>(batch.records));
  }
  if (batch.length == 0) return std::nullopt;
  return batch;
}

// --- failures

void Journal::take_back() {
  std::vector<UsageRecord> records;
  for (const auto* batch : {&flying_, &encoded_}) {
    if (!*batch) continue;
    records.insert(records.end(), (*batch)->records.begin(), (*batch)->records.end());
  }
  flying_.reset();
  encoded_.reset();
  first_pending_ -= records.size();
  records.insert(records.end(), pending_.begin(), pending_.end());
  pending_ = std::move(records);
}

void Journal::forget() {
  take_back();
  for (auto record = pending_.rbegin(); record != pending_.rend(); ++record) {
    Meter& meter = meters_.at(record->key);
    meter.octets = record->octets_from;
    meter.packets = record->packets_from;
    meter.wall_ns = record->wall_from_ns;
  }
  first_pending_ += pending_.size();
  pending_.clear();
}

tl::expected<void, std::string> Journal::failed_write(int64_t result) {
  const std::string name = segment_name(options_.folder, acked_.segment);
  const std::string where =
      "offset " + std::to_string(acked_.offset) + ", frame " + std::to_string(acked_.next_sequence);
  const bool again = result == -EINTR || result == -EAGAIN || result >= 0;
  if (again && ++flying_->tries < kTriesMax) {
    queue_->start(flying_->buffer, flying_->length, acked_.offset, options_.read_back);
    return {};
  }
  if (result >= 0) result = -EIO;  // short, again and again
  if (out_of_space(result)) {
    forget();
    return failed("cannot be written at " + where, name, result);
  }
  const bool first = !second_attempt_;
  if (first)
    take_back();
  else
    forget();
  // Nothing of this segment was acknowledged: it never was one.
  const bool unused = acked_.offset == 0;
  close_segment();
  if (unused) {
    disk_.remove(name);
    --acked_.segment;
    acked_.offset = opening_.previous_end;
    acked_.wall_first_ns = opening_.previous_wall_first_ns;
    acked_.wall_last_ns = opening_.previous_wall_last_ns;
  }
  opening_flags_ |= kAfterSuspect;
  if (!first) {
    second_attempt_ = false;
    return failed(
        "cannot be written at " + where + ", and neither could the segment before; check this disk",
        name, result);
  }
  tell("journal " + name + ": cannot be written at " + where + ": " + error_text(result) +
       "; going on in a new segment, nothing is lost; check this disk, and the journal: anabranch "
       "journal verify " +
       options_.folder);
  if (auto rotated = rotate(); !rotated) {
    forget();
    return rotated;
  }
  second_attempt_ = true;
  return advance(false);
}

// --- segments

void Journal::close_segment() {
  if (fd_ >= 0) disk_.close(fd_);
  fd_ = -1;
}

// Meters as they were before what is pending. A meter may have two records there, one that failed
// and one from later: the earlier counts. Those of a region that is gone are kept for a while.
void Journal::snapshot() {
  std::unordered_map<MeterKey, TotalRecord, KeyHash> before;
  for (auto record = pending_.rbegin(); record != pending_.rend(); ++record)
    before[record->key] = {record->key, record->octets_from, record->packets_from,
                           record->wall_from_ns};
  totals_.clear();
  for (const auto& [key, meter] : meters_) {
    TotalRecord total{key, meter.octets, meter.packets, meter.wall_ns};
    if (const auto waits = before.find(key); waits != before.end()) total = waits->second;
    const bool gone =
        !regions_.contains(key.region) && total.wall_ns < wall_now_ns_ - kRegionKeptNs;
    if (!gone && (total.octets != 0 || total.packets != 0)) totals_.push_back(total);
  }
  std::sort(totals_.begin(), totals_.end(),
            [](const TotalRecord& a, const TotalRecord& b) { return a.key < b.key; });
  catalogue_frames_ = to_frames(catalogue_);
}

// What a segment begins with must leave most of it to usage.
uint64_t Journal::octets_for_segment() const {
  uint64_t beginning = frame_length(1024) + frame_length(totals_.size() * sizeof(TotalRecord));
  for (const std::string& frame : catalogue_frames_) beginning += frame_length(frame.size());
  const uint64_t octets = std::max<uint64_t>(options_.segment_octets, 4 * beginning);
  return (octets + kBlock - 1) / kBlock * kBlock;
}

// A segment appears under its name only when it is whole: zeroed, on disk. Thread-safe.
tl::expected<void, std::string> Journal::prepare(uint64_t number, uint64_t octets) {
  const std::string name = segment_name(options_.folder, number);
  const std::string unfinished = name + ".new";
  const int64_t fd = disk_.open(unfinished, Disk::Access::make);
  if (fd == -EINVAL) {
    return tl::unexpected("journal " + options_.folder +
                          ": this filesystem has no O_DIRECT; put gateway.state_dir on a disk, "
                          "or for development set billing.journal_direct = false");
  }
  if (fd < 0) return failed("cannot be made", unfinished, fd);
  const int file = static_cast<int>(fd);
  const size_t at_once = std::min<uint64_t>(kFrameMax, octets);
  const AlignedBuffer zeros = aligned_buffer(at_once);
  std::memset(zeros.get(), 0, at_once);
  int64_t result = disk_.allocate(file, octets);
  for (uint64_t at = 0; at < octets && result >= 0;) {
    result = disk_.write(file, {zeros.get(), std::min<uint64_t>(at_once, octets - at)}, at);
    if (result == 0) result = -ENOSPC;
    if (result > 0) at += static_cast<uint64_t>(result) / kBlock * kBlock;
    if (result > 0 && result < static_cast<int64_t>(kBlock)) result = -ENOSPC;
  }
  if (result >= 0) result = disk_.sync(file);
  disk_.close(file);
  if (result >= 0) result = disk_.rename(unfinished, name);
  if (result >= 0) result = disk_.sync_folder(options_.folder);
  if (result >= 0) return {};
  disk_.remove(unfinished);
  return failed("a new segment cannot be made", unfinished, result);
}

void Journal::prepare_ahead() {
  ahead_number_ = acked_.segment + 1;
  const auto work = [this, number = ahead_number_, octets = octets_for_segment()] {
    return prepare(number, octets);
  };
  ahead_ =
      std::async(options_.prepare_in_background ? std::launch::async : std::launch::deferred, work);
  if (!options_.prepare_in_background) ahead_.wait();
}

// Tells of a segment that could not be made ahead while there is still room in this one, and tries
// again.
void Journal::look_ahead() {
  if (ahead_.valid()) {
    if (ahead_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
    const auto prepared = ahead_.get();
    if (prepared) return;
    tell(prepared.error() + "; " + std::to_string((segment_size_ - acked_.offset) >> 10) +
         " KiB are left in the segment in use");
    ahead_number_ = 0;
    prepare_again_ns_ = wall_now_ns_ + kPrepareAgainNs;
  } else if (ahead_number_ == 0 && fd_ >= 0 && wall_now_ns_ >= prepare_again_ns_) {
    prepare_ahead();
  }
}

tl::expected<void, std::string> Journal::open_segment(uint64_t number) {
  const std::string name = segment_name(options_.folder, number);
  const int64_t fd = disk_.open(name, Disk::Access::append);
  if (fd < 0) return failed("cannot be opened", name, fd);
  close_segment();
  fd_ = static_cast<int>(fd);
  const int64_t size = disk_.size(fd_);
  const int64_t attached = size < 0 ? size : queue_->attach(fd_);
  if (attached < 0) {
    close_segment();
    return failed("cannot be opened", name, attached);
  }
  segment_size_ = static_cast<uint64_t>(size);
  return {};
}

// The next segment is there already, unless the disk was full or slow.
tl::expected<void, std::string> Journal::rotate() {
  const uint64_t number = acked_.segment + 1;
  snapshot();
  bool there = false;
  if (ahead_.valid()) {
    const auto prepared = ahead_.get();  // it was not seen to be finished yet
    there = prepared.has_value() && ahead_number_ == number;
  } else {
    there = ahead_number_ == number;
  }
  ahead_number_ = 0;
  if (there) {
    const auto opened = open_segment(number);
    there = opened.has_value() && segment_size_ >= octets_for_segment();
    if (!there) close_segment();
  }
  if (!there) {
    if (auto prepared = prepare(number, octets_for_segment()); !prepared) return prepared;
    if (auto opened = open_segment(number); !opened) return opened;
  }
  opening_ = {.journal = journal_id_,
              .segment = number,
              .gateway = catalogue_.gateway,
              .begun_ns = wall_now_ns_,
              .totals = totals_.size(),
              .catalogue_frames = catalogue_frames_.size(),
              .previous_segment = acked_.segment,
              .previous_end = acked_.offset,
              .previous_sequence = acked_.next_sequence - 1,
              .previous_wall_first_ns = acked_.wall_first_ns,
              .previous_wall_last_ns = acked_.wall_last_ns};
  acked_ = {.segment = number, .next_sequence = acked_.next_sequence, .crc = acked_.crc};
  prepare_ahead();
  return {};
}

// --- reading back

tl::expected<void, std::string> Journal::read(Position& position, const Visit& visit) const {
  FolderReader reader(disk_, options_.folder, {.from = position, .check_tail = false});
  while (position.next_sequence < acked_.next_sequence) {
    const auto frame = reader.next();
    if (!frame) return tl::unexpected(frame.error().text());
    if (!*frame) {
      if (acked_.next_sequence == 1 || reader.position().next_sequence == 0) return {};
      return tl::unexpected(JournalFault{
          segment_name(options_.folder, reader.position().segment), reader.position().offset,
          reader.position().next_sequence, "damaged: a durable frame is no longer readable",
          "restore the file from a backup, or accept what is lost: anabranch journal "
          "repair"}
                                .text());
    }
    if ((*frame)->header.sequence >= acked_.next_sequence) return {};
    if (const auto usage = (*frame)->usage(); !usage.empty())
      visit((*frame)->header.sequence, usage);
    position = reader.position();
  }
  return {};
}

tl::expected<bool, std::string> Journal::maintain(const JournalRetention& retention,
                                                  uint64_t charged_through, int64_t wall_now_ns) {
  return maintain_journal(disk_, options_.folder,
                          {.retention = retention,
                           .current_segment = acked_.segment,
                           .charged_through = std::min(charged_through, acknowledged()),
                           .wall_now_ns = wall_now_ns});
}

}  // namespace anabranch::billing
