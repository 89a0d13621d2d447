// SPDX-License-Identifier: BSD-3-Clause
#include "billing/reconcile.h"

#include <array>
#include <map>

#include "billing/journal_catalogue.h"
#include "billing/journal_reader.h"

namespace anabranch::billing {
namespace {

struct PathTotals {
  std::string provider;
  std::array<Count, 2> count;  // by direction
};
struct GatewayTotals {
  std::string gateway;
  std::map<std::string, PathTotals> paths;
};

class Adding {
 public:
  explicit Adding(const WallRange& time) : time_(time) {}

  void add(const JournalFrame& frame) {
    if (frame.header.type == FrameType::catalogue) add_frame(catalogue_, frame.text());
    for (const UsageRecord& record : frame.usage()) {
      if (record.key.service == kPathTotal) add(record);
    }
  }
  GatewayTotals side() {
    GatewayTotals side{.gateway = catalogue_.gateway, .paths = {}};
    for (const auto& [id, totals] : by_id_) {
      const auto named = catalogue_.paths.find(id);
      if (named == catalogue_.paths.end()) continue;
      PathTotals& into = side.paths[named->second.name];
      into.provider = named->second.provider;
      for (size_t d = 0; d < totals.size(); ++d) {
        into.count[d].octets += totals[d].octets;
        into.count[d].packets += totals[d].packets;
      }
    }
    return side;
  }

 private:
  void add(const UsageRecord& r) {
    Count& through = through_[r.key];
    const Count to{r.octets_to, r.packets_to};
    if (to.octets <= through.octets) return;
    const Count all{to.octets - std::max(r.octets_from, through.octets),
                    to.packets - std::max(r.packets_from, through.packets)};
    through = to;
    const Period time{r.wall_from_ns, r.wall_to_ns};
    const Count within = before(all, time, time_.to_ns) - before(all, time, time_.from_ns);
    Count& sum = by_id_[r.key.path][static_cast<size_t>(r.key.direction)];
    sum.octets += within.octets;
    sum.packets += within.packets;
  }

  WallRange time_;
  Catalogue catalogue_;
  std::map<MeterKey, Count> through_;
  std::map<uint16_t, std::array<Count, 2>> by_id_;
};

tl::expected<GatewayTotals, std::string> read(const std::string& folder, const WallRange& time) {
  FolderReader reader(real_disk(false), folder, {.range = time, .from = {}});
  Adding adding(time);
  for (;;) {
    const auto frame = reader.next();
    if (!frame) return tl::unexpected(frame.error().text());
    if (!*frame) return adding.side();
    adding.add(**frame);
  }
}

void compare(const GatewayTotals& from, const GatewayTotals& to, std::vector<ReconciledPath>& all) {
  constexpr auto kSent = static_cast<size_t>(Direction::sent);
  constexpr auto kReceived = static_cast<size_t>(Direction::received);
  for (const auto& [name, sender] : from.paths) {
    const auto receiver = to.paths.find(name);
    if (receiver == to.paths.end()) continue;
    all.push_back({name, sender.provider, from.gateway, to.gateway, sender.count[kSent],
                   receiver->second.count[kReceived]});
  }
}

}  // namespace

int64_t ReconciledPath::lost_ppm() const {
  if (sent.octets == 0) return received.octets == 0 ? 0 : -1'000'000;
  return static_cast<int64_t>(static_cast<Int128>(lost_octets()) * 1'000'000 /
                              static_cast<Int128>(sent.octets));
}

tl::expected<std::vector<ReconciledPath>, std::string> reconcile(const std::string& a,
                                                                 const std::string& b,
                                                                 const WallRange& time) {
  const auto one = read(a, time), other = read(b, time);
  if (!one) return tl::unexpected(one.error());
  if (!other) return tl::unexpected(other.error());
  std::vector<ReconciledPath> all;
  compare(*one, *other, all);
  compare(*other, *one, all);
  if (all.empty())
    return tl::unexpected("the journals of " + one->gateway + " and " + other->gateway +
                          " have no path of the same name with totals in that time");
  return all;
}

nlohmann::json to_json(const ReconciledPath& p) {
  return {{"path", p.path},
          {"provider", p.provider},
          {"from", p.from},
          {"to", p.to},
          {"octets_sent", p.sent.octets},
          {"octets_received", p.received.octets},
          {"packets_sent", p.sent.packets},
          {"packets_received", p.received.packets},
          {"lost_octets", p.lost_octets()},
          {"lost_ppm", p.lost_ppm()}};
}

}  // namespace anabranch::billing
