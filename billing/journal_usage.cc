// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal_usage.h"

namespace anabranch::billing {

tl::expected<void, std::string> JournalUsage::add(const std::string& folder, Disk& disk) {
  if (const auto listed = list_segments(disk, folder); !listed)
    return tl::unexpected(listed.error().text());
  const Period& part = usage_.prices().part();
  FolderReader reader(disk, folder, {.range = {part.from_ns, part.to_ns}});
  Catalogue catalogue;
  for (;;) {
    const auto frame = reader.next();
    if (!frame) return tl::unexpected(frame.error().text());
    if (!*frame) break;
    if (auto added = add_frame(**frame, folder, catalogue); !added) return added;
  }
  for (const auto& [id, service] : catalogue.services) clients_.insert(service.client);
  return {};
}

JournalUsage::Status JournalUsage::add_frame(const JournalFrame& frame, const std::string& folder,
                                             Catalogue& catalogue) {
  if (frame.header.type == FrameType::catalogue) billing::add_frame(catalogue, frame.text());
  for (const UsageRecord& record : frame.usage()) {
    if (auto added = add_record(record, catalogue); !added) {
      return tl::unexpected(segment_name(folder, frame.segment) + ", frame " +
                            std::to_string(frame.header.sequence) + ": " + added.error());
    }
  }
  return {};
}

JournalUsage::Status JournalUsage::add_record(const UsageRecord& record,
                                              const Catalogue& catalogue) {
  const uint64_t id = record.key.service;
  if (id == kPathTotal) return {};
  const auto service = catalogue.services.find(id);
  if (id != 0 && service == catalogue.services.end())
    return tl::unexpected("service " + std::to_string(id) + " of " + catalogue.gateway +
                          " is not named by the journal: nobody knows whose it is");
  const std::string owner = id == 0 ? std::string() : service->second.client;
  if (owner != client_) return {};
  UsageRecord added = record;
  if (!take_new(added)) return {};
  const auto place = place_of(record.key.path, catalogue);
  if (!place) return tl::unexpected(place.error());
  usage_.add(*place, id, record.key.direction, record.key.kind,
             {added.octets_to - added.octets_from, added.packets_to - added.packets_from},
             {added.wall_from_ns, added.wall_to_ns});
  return {};
}

// Readings only grow, and what a write that failed left behind may come again. A gap between two
// records is no mistake: what is in it was read at a time outside of the period. That no frame is
// missing is the reader's business.
bool JournalUsage::take_new(UsageRecord& record) {
  Through& through = through_[record.key];
  if (record.octets_to <= through.octets && record.packets_to <= through.packets) return false;
  record.octets_from = std::max(record.octets_from, through.octets);
  record.packets_from = std::max(record.packets_from, through.packets);
  through = {record.octets_to, record.packets_to};
  return true;
}

tl::expected<PeriodUsage::PlaceId, std::string> JournalUsage::place_of(uint16_t path,
                                                                       const Catalogue& catalogue) {
  const auto named = catalogue.paths.find(path);
  if (named == catalogue.paths.end())
    return tl::unexpected("path " + std::to_string(path) + " of " + catalogue.gateway +
                          " is not named by the journal: nobody knows whose network it was");
  const Catalogue::Path& p = named->second;
  return usage_.place({p.provider, p.network, p.name, catalogue.gateway});
}

}  // namespace anabranch::billing
