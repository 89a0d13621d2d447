// SPDX-License-Identifier: BSD-3-Clause
#include "billing/journal_catalogue.h"

#include <nlohmann/json.hpp>

#include "billing/journal_format.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

// Names are those of documents, so an entry is far shorter; cut where a frame might get too long.
constexpr size_t kTextMax = kPayloadMax / 2;

json to_json(uint16_t id, const Catalogue::Path& path) {
  return {{"id", id}, {"name", path.name}, {"provider", path.provider}, {"network", path.network}};
}

json to_json(uint64_t id, const Catalogue::Service& service) {
  json entry{{"id", id},
             {"client", service.client},
             {"tariff", service.tariff},
             {"version", service.tariff_version},
             {"opened_ns", service.opened_ns}};
  if (service.closed_ns) entry["closed_ns"] = *service.closed_ns;
  return entry;
}

// Names come from outside; what is no UTF-8 must not stop the journal.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

template <typename Entries>
void changed(const Entries& before, const Entries& after, Entries& into) {
  for (const auto& [id, entry] : after) {
    const auto known = before.find(id);
    if (known == before.end() || known->second != entry) into.emplace(id, entry);
  }
}

}  // namespace

Catalogue Catalogue::changes_to(const Catalogue& newer) const {
  Catalogue changes{.gateway = newer.gateway, .paths = {}, .services = {}};
  changed(paths, newer.paths, changes.paths);
  changed(services, newer.services, changes.services);
  return changes;
}

void Catalogue::add(const Catalogue& more) {
  gateway = more.gateway;
  for (const auto& [id, path] : more.paths) paths[id] = path;
  for (const auto& [id, service] : more.services) services[id] = service;
}

std::vector<std::string> to_frames(const Catalogue& catalogue) {
  std::vector<std::string> frames;
  json frame;
  size_t length = 0;
  const auto begin = [&] {
    frame = {{"gateway", catalogue.gateway}, {"paths", json::array()}, {"services", json::array()}};
    length = 64 + catalogue.gateway.size() * 6;
  };
  const auto add = [&](const char* where, json entry) {
    const size_t octets = dump(entry).size() + 1;
    if (length + octets > kTextMax) {
      frames.push_back(dump(frame));
      begin();
    }
    length += octets;
    frame[where].push_back(std::move(entry));
  };
  begin();
  for (const auto& [id, path] : catalogue.paths) add("paths", to_json(id, path));
  for (const auto& [id, service] : catalogue.services) add("services", to_json(id, service));
  frames.push_back(dump(frame));
  return frames;
}

bool add_frame(Catalogue& into, std::string_view text) {
  try {
    const json frame = json::parse(text);
    Catalogue more;
    more.gateway = frame.at("gateway").get<std::string>();
    for (const json& p : frame.at("paths"))
      more.paths[p.at("id").get<uint16_t>()] = {p.at("name").get<std::string>(),
                                                p.at("provider").get<std::string>(),
                                                p.at("network").get<std::string>()};
    for (const json& s : frame.at("services")) {
      auto& service = more.services[s.at("id").get<uint64_t>()];
      service = {s.at("client").get<std::string>(), s.at("tariff").get<std::string>(),
                 s.at("version").get<std::string>(), s.at("opened_ns").get<int64_t>(),
                 std::nullopt};
      if (s.contains("closed_ns")) service.closed_ns = s.at("closed_ns").get<int64_t>();
    }
    into.add(more);
    return true;
  } catch (const json::exception&) {
    return false;
  }
}

std::string to_text(const Opening& o) {
  return dump({{"anabranch_journal", kFormatVersion},
               {"id", o.journal},
               {"segment", o.segment},
               {"gateway", o.gateway},
               {"begun_ns", o.begun_ns},
               {"totals", o.totals},
               {"catalogue_frames", o.catalogue_frames},
               {"previous",
                {{"segment", o.previous_segment},
                 {"end", o.previous_end},
                 {"sequence", o.previous_sequence},
                 {"wall_first_ns", o.previous_wall_first_ns},
                 {"wall_last_ns", o.previous_wall_last_ns}}}});
}

std::optional<Opening> parse_opening(std::string_view text) {
  try {
    const json o = json::parse(text);
    const json& p = o.at("previous");
    return Opening{.journal = o.at("id").get<uint64_t>(),
                   .segment = o.at("segment").get<uint64_t>(),
                   .gateway = o.at("gateway").get<std::string>(),
                   .begun_ns = o.at("begun_ns").get<int64_t>(),
                   .totals = o.at("totals").get<uint64_t>(),
                   .catalogue_frames = o.at("catalogue_frames").get<uint64_t>(),
                   .previous_segment = p.at("segment").get<uint64_t>(),
                   .previous_end = p.at("end").get<uint64_t>(),
                   .previous_sequence = p.at("sequence").get<uint64_t>(),
                   .previous_wall_first_ns = p.at("wall_first_ns").get<int64_t>(),
                   .previous_wall_last_ns = p.at("wall_last_ns").get<int64_t>()};
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace anabranch::billing
