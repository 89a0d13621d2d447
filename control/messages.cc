// SPDX-License-Identifier: BSD-3-Clause
#include "control/messages.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "control/json_reader.h"
#include "dataplane/bounds.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

constexpr size_t kReasonMax = 256;
constexpr uint64_t kIdMax = Kept::kIdMax;

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;  // clang 14 does not deduce it by itself

uint64_t read_service(JsonReader& r) {
  return r.integer("service", 1, kIdMax);
}
uint32_t read_receiver(JsonReader& r) {
  return static_cast<uint32_t>(r.integer("receiver", 1, UINT32_MAX));
}

// Less than the least would stand still.
uint64_t read_rate(JsonReader& r, const char* key) {
  const uint64_t rate = r.integer(key, 0, Treatment::kRateMax);
  if (rate != 0 && rate < Treatment::kRateMin)
    r.wrong(key, std::to_string(rate), "0 or at least " + std::to_string(Treatment::kRateMin));
  return rate;
}

Hello read_hello(JsonReader& r) {
  Hello hello;
  hello.version = static_cast<int>(r.integer("version", 0, 1000));
  hello.gateway = r.text("gateway", "the gateway's name");
  hello.instance = r.integer("instance", 1, UINT64_MAX);
  for (JsonReader& path : r.objects("paths", dataplane::kPathsMax)) {
    const auto id = static_cast<uint8_t>(path.integer("id", 1, 15));
    const auto address = path.parsed("address", "an IP address", parse_ip);
    hello.paths.push_back({id, address.value_or(Ip{})});
    path.finish();
  }
  hello.phase = static_cast<uint8_t>(r.integer("phase", 0, 255));
  for (const std::string& name : r.texts("ciphers", "names of ciphers")) {
    if (const auto cipher = dataplane::find_cipher(name)) hello.ciphers.push_back(*cipher);
  }
  return hello;
}

Counted read_counted(JsonReader& r) {
  Counted counted;
  for (JsonReader& path : r.objects("paths", dataplane::kPathsMax)) {
    counted.paths.push_back({.id = static_cast<uint8_t>(path.integer("id", 1, 15)),
                             .sent = path.integer("sent", 0, UINT64_MAX),
                             .received = path.integer("received", 0, UINT64_MAX)});
    path.finish();
  }
  return counted;
}

Limits read_limits(JsonReader& r) {
  Limits limits;
  for (JsonReader& path : r.objects("paths", dataplane::kPathsMax)) {
    limits.paths.push_back({.id = static_cast<uint8_t>(path.integer("id", 1, 15)),
                            .left = path.integer("left", 0, Limits::kNone),
                            .slow_bps = path.integer("slow_bps", 0, Treatment::kRateMax),
                            .used_up = path.boolean("used_up")});
    path.finish();
  }
  return limits;
}

Ordered read_ordered(JsonReader& r) {
  Ordered ordered;
  for (JsonReader& path : r.objects("paths", dataplane::kPathsMax)) {
    const auto id = static_cast<uint8_t>(path.integer("id", 1, 15));
    ordered.paths.push_back({id, read_rate(path, "rate_bps")});
    path.finish();
  }
  return ordered;
}

std::vector<std::string_view> names_of(const std::vector<dataplane::Cipher>& ciphers) {
  std::vector<std::string_view> names;
  for (const dataplane::Cipher cipher : ciphers)
    names.push_back(dataplane::kCipherNames[static_cast<size_t>(cipher)]);
  return names;
}

template <typename Array>
void read_by_path(JsonReader& r, const char* name, uint64_t most, Array& values) {
  const auto read = r.integers(name, most, values.size());
  for (size_t i = 0; i < std::min(read.size(), values.size()); ++i)
    values[i] = static_cast<typename Array::value_type>(read[i]);
}

std::vector<uint8_t> dscps_of(DscpSet set) {
  std::vector<uint8_t> dscps;
  for (; set != 0; set &= set - 1) dscps.push_back(static_cast<uint8_t>(std::countr_zero(set)));
  return dscps;
}

DscpSet read_dscps(JsonReader& r, const char* name) {
  DscpSet set = 0;
  for (const uint64_t dscp : r.integers(name, 63, 64)) set |= dscp_set(static_cast<uint8_t>(dscp));
  return set;
}

Announce read_announce(JsonReader& r) {
  Announce a;
  a.service = read_service(r);
  a.client = r.text("client", "the client's id");
  a.receiver = read_receiver(r);
  for (JsonReader& rule : r.objects("rules", kAnnouncedRulesMax))
    a.rules.push_back(read_rule(rule));
  Carriage& c = a.towards_us;
  c.dispersion =
      r.parsed("dispersion", kDispersions, find_dispersion).value_or(Dispersion::weighted);
  c.resequence = r.boolean("resequence");
  read_by_path(r, "weights", 65535, c.weights);
  read_by_path(r, "order", dataplane::kPathsMax - 1, c.order);
  read_by_path(r, "provider", dataplane::kPathsMax - 1, c.provider);
  c.weight = static_cast<uint8_t>(r.integer("weight", 1, Treatment::kWeightMax));
  c.rate_max = read_rate(r, "rate_max");
  c.urgent = read_dscps(r, "urgent");
  c.background = read_dscps(r, "background");
  return a;
}

// Of which one is looked up, so it must be as they are sent: each larger than the one before.
Kept read_kept(JsonReader& r) {
  Kept kept{.from = r.integer("from", 1, kIdMax), .to = r.integer("to", 1, kIdMax)};
  kept.ids = r.integers("services", kIdMax, Kept::kIdsMax);
  if (!std::is_sorted(kept.ids.begin(), kept.ids.end(), std::less_equal<>()))
    r.wrong("services", "another order", "each id larger than the one before");
  return kept;
}

Message read_message(const std::string& type, JsonReader& r) {
  if (type == "hello") return read_hello(r);
  if (type == "ready") return Ready{};
  if (type == "rekey") return Rekey{};
  if (type == "house") return House{read_receiver(r)};
  if (type == "announce") return read_announce(r);
  if (type == "accept") return Accept{read_service(r), read_receiver(r)};
  if (type == "refuse") return Refuse{read_service(r), r.text("reason", "a sentence")};
  if (type == "end") return End{read_service(r)};
  if (type == "gone") return Gone{read_service(r)};
  if (type == "kept") return read_kept(r);
  if (type == "counted") return read_counted(r);
  if (type == "limits") return read_limits(r);
  if (type == "ordered") return read_ordered(r);
  if (type != "alive") r.wrong("type", "\"" + type + "\"", "a message of this version");
  return Alive{};
}

}  // namespace

std::string encode(const Message& message) {
  const json object = std::visit(
      Overloaded{
          [](const Hello& m) -> json {
            json paths = json::array();
            for (const Hello::Path& p : m.paths)
              paths.push_back({{"id", p.id}, {"address", to_string(p.address)}});
            return {{"type", "hello"},
                    {"version", m.version},
                    {"gateway", m.gateway},
                    {"instance", m.instance},
                    {"paths", paths},
                    {"phase", m.phase},
                    {"ciphers", names_of(m.ciphers)}};
          },
          [](const Ready&) -> json {
            return {{"type", "ready"}};
          },
          [](const Rekey&) -> json {
            return {{"type", "rekey"}};
          },
          [](const House& m) -> json {
            return {{"type", "house"}, {"receiver", m.receiver}};
          },
          [](const Announce& m) -> json {
            json rules = json::array();
            for (const TrafficRule& rule : m.rules) rules.push_back(to_json(rule));
            return {{"type", "announce"},
                    {"service", m.service},
                    {"client", m.client},
                    {"receiver", m.receiver},
                    {"rules", rules},
                    {"dispersion", to_string(m.towards_us.dispersion)},
                    {"resequence", m.towards_us.resequence},
                    {"weights", m.towards_us.weights},
                    {"order", m.towards_us.order},
                    {"provider", m.towards_us.provider},
                    {"weight", m.towards_us.weight},
                    {"rate_max", m.towards_us.rate_max},
                    {"urgent", dscps_of(m.towards_us.urgent)},
                    {"background", dscps_of(m.towards_us.background)}};
          },
          [](const Accept& m) -> json {
            return {{"type", "accept"}, {"service", m.service}, {"receiver", m.receiver}};
          },
          [](const Refuse& m) -> json {
            return {{"type", "refuse"},
                    {"service", m.service},
                    {"reason", beginning(m.reason, kReasonMax)}};
          },
          [](const End& m) -> json {
            return {{"type", "end"}, {"service", m.service}};
          },
          [](const Gone& m) -> json {
            return {{"type", "gone"}, {"service", m.service}};
          },
          [](const Kept& m) -> json {
            return {{"type", "kept"}, {"from", m.from}, {"to", m.to}, {"services", m.ids}};
          },
          [](const Counted& m) -> json {
            json paths = json::array();
            for (const Counted::Path& p : m.paths)
              paths.push_back({{"id", p.id}, {"sent", p.sent}, {"received", p.received}});
            return {{"type", "counted"}, {"paths", paths}};
          },
          [](const Limits& m) -> json {
            json paths = json::array();
            for (const Limits::Path& p : m.paths) {
              paths.push_back({{"id", p.id},
                               {"left", p.left},
                               {"slow_bps", p.slow_bps},
                               {"used_up", p.used_up}});
            }
            return {{"type", "limits"}, {"paths", paths}};
          },
          [](const Ordered& m) -> json {
            json paths = json::array();
            for (const Ordered::Path& p : m.paths)
              paths.push_back({{"id", p.id}, {"rate_bps", p.rate_bps}});
            return {{"type", "ordered"}, {"paths", paths}};
          },
          [](const Alive&) -> json {
            return {{"type", "alive"}};
          },
      },
      message);
  // A reason that was cut may end in the middle of a character.
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

tl::expected<Message, std::string> decode(std::string_view text) {
  const auto object = parse_json(text);
  if (!object) return tl::unexpected("message is not understood: " + object.error());
  if (!object->is_object()) return tl::unexpected<std::string>("message is not a JSON object");
  FieldErrors errors;
  JsonReader reader(*object, "", errors);
  const std::string type = reader.text("type", "the kind of message");
  Message message = read_message(type, reader);
  reader.finish();
  if (errors.empty()) return message;
  return tl::unexpected("message \"" + type + "\": " + errors.front().pointer + ": " +
                        errors.front().detail);
}

}  // namespace anabranch::control
