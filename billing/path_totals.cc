// SPDX-License-Identifier: BSD-3-Clause
#include "billing/path_totals.h"

#include <algorithm>

namespace anabranch::billing {

// Frames are read whole, not by time: how far a meter was read before `from_ns` has to be known,
// too, or what it counted until then would be taken for new.
tl::expected<void, std::string> PathTotals::read(const std::string& folder, int64_t from_ns,
                                                 const Visit& visit, Disk& disk) {
  const auto spans = segment_spans(disk, folder);
  if (!spans) return tl::unexpected(spans.error().text());
  const auto first = std::find_if(spans->begin(), spans->end(), [&](const SegmentSpan& span) {
    return !span.known || span.wall_last_ns >= from_ns;
  });
  if (first == spans->end()) return {};
  FolderReader reader(disk, folder, {.range = {}, .from = {.segment = first->number}});
  Catalogue catalogue;
  for (;;) {
    const auto frame = reader.next();
    if (!frame) return tl::unexpected(frame.error().text());
    if (!*frame) return {};
    take(**frame, catalogue, visit);
  }
}

void PathTotals::take(const JournalFrame& frame, Catalogue& catalogue, const Visit& visit) {
  if (frame.header.type == FrameType::catalogue) add_frame(catalogue, frame.text());
  for (const TotalRecord& total : frame.totals()) {
    if (total.key.service != kPathTotal) continue;
    Known& known = known_[total.key];
    if (total.octets >= known.octets) known = {total.octets, total.wall_ns};
  }
  for (const UsageRecord& record : frame.usage()) {
    begin_ns_ = std::min({begin_ns_, record.wall_from_ns, record.wall_to_ns});
    if (record.key.service != kPathTotal) continue;
    const auto path = catalogue.paths.find(record.key.path);
    if (path != catalogue.paths.end()) take(record, path->second, visit);
  }
}

// A gap between records is none here: the next one's begin says where the meter stood.
void PathTotals::take(const UsageRecord& record, const Catalogue::Path& path, const Visit& visit) {
  Known& known = known_[record.key];
  const uint64_t from = std::max(known.octets, record.octets_from);
  if (record.octets_to <= from) return;
  visit(path, record.key.direction, record.octets_to - from,
        {record.wall_from_ns, record.wall_to_ns});
  known.octets = record.octets_to;
  known.wall_ns = record.wall_to_ns;
}

void PathTotals::read(std::span<const Reading> readings,
                      const std::map<uint16_t, Catalogue::Path>& paths, int64_t wall_ns,
                      const Visit& visit) {
  begin_ns_ = std::min(begin_ns_, wall_ns);
  for (const Reading& reading : readings) {
    if (reading.key.service != kPathTotal) continue;
    const auto path = paths.find(reading.key.path);
    if (path == paths.end()) continue;
    const auto known = known_.find(reading.key);
    const int64_t from_ns = known == known_.end() ? wall_ns : known->second.wall_ns;
    const uint64_t from = known == known_.end() ? 0 : known->second.octets;
    take({reading.key, from, reading.octets, 0, 0, from_ns, wall_ns}, path->second, visit);
    known_[reading.key].wall_ns = wall_ns;  // it stood still until now, if it did not advance
  }
}

}  // namespace anabranch::billing
