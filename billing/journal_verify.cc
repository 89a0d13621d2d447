// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal_verify.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <unordered_map>

#include "billing/journal_reader.h"

namespace anabranch::billing {
namespace {

constexpr size_t kFaultsMax = 1000;

class Verifier {
 public:
  explicit Verifier(JournalReport& report) : r_(report) {}

  void take(const JournalFrame& frame) {
    const FrameHeader& header = frame.header;
    if (frame.segment != r_.last_segment) ++r_.segments;
    if (r_.first_segment == 0) r_.first_segment = frame.segment;
    if (r_.first_frame == 0) r_.first_frame = header.sequence;
    if ((header.flags & kAfterLoss) != 0 && r_.last_frame != 0 &&
        header.sequence > r_.last_frame + 1)
      r_.lost_frames += header.sequence - r_.last_frame - 1;
    r_.last_segment = frame.segment;
    r_.last_frame = header.sequence;
    r_.journal_id = header.journal;
    ++r_.frames;
    switch (header.type) {
      case FrameType::opening:
        r_.compacted += (header.flags & kCompacted) != 0;
        r_.repaired += (header.flags & kBridged) != 0;
        if (const auto opening = parse_opening(frame.text());
            opening && r_.catalogue.gateway.empty())
          r_.catalogue.gateway = opening->gateway;
        break;
      case FrameType::catalogue:
        add_frame(r_.catalogue, frame.text());
        break;
      case FrameType::totals:
        for (const TotalRecord& total : frame.totals()) take(frame, total);
        break;
      case FrameType::usage:
        for (const UsageRecord& record : frame.usage()) take(frame, record);
        break;
      case FrameType::trailer:
        break;
      default:
        ++r_.unknown_frames;
    }
  }

 private:
  struct Through {
    uint64_t octets = 0, packets = 0;
  };
  struct KeyHash {
    size_t operator()(const MeterKey& key) const {
      return std::hash<std::string_view>{}({reinterpret_cast<const char*>(&key), sizeof key});
    }
  };

  // The first segment's totals are where this journal begins; later ones must agree with what was
  // read.
  void take(const JournalFrame& frame, const TotalRecord& total) {
    const auto [known, fresh] =
        through_.try_emplace(total.key, Through{total.octets, total.packets});
    if (fresh && frame.segment == r_.first_segment) return;
    if (fresh) known->second = {};
    if (total.octets > known->second.octets)
      gap(frame, total.key, known->second.octets, total.octets);
    known->second = {std::max(known->second.octets, total.octets),
                     std::max(known->second.packets, total.packets)};
  }

  void take(const JournalFrame& frame, const UsageRecord& record) {
    ++r_.records;
    const auto [first, last] = std::minmax(record.wall_from_ns, record.wall_to_ns);
    r_.wall_first_ns = r_.records == 1 ? first : std::min(r_.wall_first_ns, first);
    r_.wall_last_ns = r_.records == 1 ? last : std::max(r_.wall_last_ns, last);
    Through& through = through_[record.key];
    if (record.octets_from > through.octets)
      gap(frame, record.key, through.octets, record.octets_from);
    const uint64_t octets_from = std::max(record.octets_from, through.octets);
    const uint64_t packets_from = std::max(record.packets_from, through.packets);
    r_.repeated_octets += std::min(octets_from, record.octets_to) - record.octets_from;
    const auto direction = static_cast<size_t>(record.key.direction) & 1;
    if (record.octets_to > octets_from) r_.octets[direction] += record.octets_to - octets_from;
    if (record.packets_to > packets_from) r_.packets[direction] += record.packets_to - packets_from;
    through = {std::max(through.octets, record.octets_to),
               std::max(through.packets, record.packets_to)};
  }

  void gap(const JournalFrame& frame, const MeterKey& key, uint64_t from, uint64_t to) {
    ++r_.gaps_found;
    if (r_.gaps.size() < JournalReport::kGapsMax)
      r_.gaps.push_back({segment_name(r_.folder, frame.segment), frame.offset, key, from, to});
  }

  JournalReport& r_;
  std::unordered_map<MeterKey, Through, KeyHash> through_;
};

template <typename... Values>
std::string line(const char* format, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

using Count = unsigned long long;

}  // namespace

std::string utc_text(int64_t wall_ns) {
  const auto floor_s = wall_ns / 1'000'000'000 - (wall_ns % 1'000'000'000 < 0 ? 1 : 0);
  const time_t seconds = static_cast<time_t>(floor_s);
  tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return text + line(".%03dZ", static_cast<int>((wall_ns - floor_s * 1'000'000'000) / 1'000'000));
}

tl::expected<JournalReport, JournalFault> verify_journal(Disk& disk, const std::string& folder) {
  if (auto listed = list_segments(disk, folder); !listed) return tl::unexpected(listed.error());
  JournalReport report{.folder = folder};
  Verifier verifier(report);
  FolderReader reader(disk, folder, {});
  while (report.faults.size() < kFaultsMax) {
    const auto frame = reader.next();
    if (!frame) {
      report.faults.push_back(frame.error());
      if (!reader.resync()) break;
      continue;
    }
    if (!*frame) break;
    verifier.take(**frame);
  }
  return report;
}

std::string to_text(const JournalReport& r) {
  std::string text = line("%s: gateway %s, segments %llu to %llu (%llu, %llu of them compacted)\n",
                          r.folder.c_str(), r.catalogue.gateway.c_str(), Count{r.first_segment},
                          Count{r.last_segment}, Count{r.segments}, Count{r.compacted});
  text += line("  frames      %llu to %llu, %llu there", Count{r.first_frame}, Count{r.last_frame},
               Count{r.frames});
  if (r.unknown_frames > 0) text += line(", %llu of unknown types", Count{r.unknown_frames});
  if (r.lost_frames > 0) text += line(", %llu known to be lost", Count{r.lost_frames});
  text += line("\n  records     %llu", Count{r.records});
  if (r.records > 0)
    text += line(", %s to %s", utc_text(r.wall_first_ns).c_str(), utc_text(r.wall_last_ns).c_str());
  text +=
      line("\n  octets      %llu sent, %llu received\n", Count{r.octets[0]}, Count{r.octets[1]});
  if (r.first_segment > 1)
    text += "  begins      with a later segment: what was before is retired, or missing\n";
  if (r.repaired > 0) text += line("  repaired    %llu segments\n", Count{r.repaired});
  if (r.repeated_octets > 0)
    text += line("  repeated    %llu octets, counted once\n", Count{r.repeated_octets});
  for (const JournalFault& fault : r.faults) text += "  DAMAGED     " + fault.text() + "\n";
  for (const JournalGap& gap : r.gaps) {
    text += line(
        "  GAP         service %llu, path %u, %s, %s: octets %llu to %llu, before %s, "
        "offset %llu\n",
        Count{gap.key.service}, unsigned{gap.key.path},
        std::string(kDirectionNames[static_cast<size_t>(gap.key.direction) & 1]).c_str(),
        std::string(
            kKindNames[std::min<size_t>(static_cast<size_t>(gap.key.kind), kKindNames.size() - 1)])
            .c_str(),
        Count{gap.octets_from}, Count{gap.octets_to}, gap.file.c_str(), Count{gap.offset});
  }
  if (r.gaps_found > r.gaps.size())
    text += line("  GAP         … and %llu more\n", Count{r.gaps_found - r.gaps.size()});
  return text + (r.whole() ? "  whole\n" : "  NOT WHOLE\n");
}

nlohmann::json to_json(const JournalReport& r) {
  nlohmann::json faults = nlohmann::json::array(), gaps = nlohmann::json::array();
  for (const JournalFault& f : r.faults)
    faults.push_back({{"file", f.file},
                      {"offset", f.offset},
                      {"frame", f.frame},
                      {"what", f.what},
                      {"advice", f.advice}});
  for (const JournalGap& g : r.gaps)
    gaps.push_back({{"file", g.file},
                    {"offset", g.offset},
                    {"region", g.key.region},
                    {"service", g.key.service},
                    {"path", g.key.path},
                    {"octets_from", g.octets_from},
                    {"octets_to", g.octets_to}});
  return {{"folder", r.folder},
          {"gateway", r.catalogue.gateway},
          {"journal", r.journal_id},
          {"segments",
           {{"first", r.first_segment},
            {"last", r.last_segment},
            {"count", r.segments},
            {"compacted", r.compacted},
            {"repaired", r.repaired}}},
          {"frames",
           {{"first", r.first_frame},
            {"last", r.last_frame},
            {"count", r.frames},
            {"unknown", r.unknown_frames},
            {"lost", r.lost_frames}}},
          {"records", r.records},
          {"from", r.records > 0 ? utc_text(r.wall_first_ns) : ""},
          {"to", r.records > 0 ? utc_text(r.wall_last_ns) : ""},
          {"octets", {{"sent", r.octets[0]}, {"received", r.octets[1]}}},
          {"packets", {{"sent", r.packets[0]}, {"received", r.packets[1]}}},
          {"repeated_octets", r.repeated_octets},
          {"faults", faults},
          {"gaps", gaps},
          {"gaps_found", r.gaps_found},
          {"whole", r.whole()}};
}

}  // namespace anabranch::billing
