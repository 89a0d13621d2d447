// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/telemetry.h"

#include <rte_telemetry.h>

#include <cerrno>
#include <charconv>
#include <mutex>
#include <optional>
#include <utility>

namespace anabranch::dataplane {
namespace {

// A command cannot be taken back, and DPDK calls it on threads of its own.
std::mutex watched_mutex;
const Telemetry* watched = nullptr;

class Dict {
 public:
  explicit Dict(rte_tel_data* data) : data_(data) { rte_tel_data_start_dict(data); }
  void add(std::string_view name, uint64_t value) {
    rte_tel_data_add_dict_u64(data_, std::string(name).c_str(), value);
  }
  void add(std::string_view name, const std::string& value) {
    rte_tel_data_add_dict_string(data_, std::string(name).c_str(), value.c_str());
  }

 private:
  rte_tel_data* data_;
};

// What follows the comma of a command: nothing, or a number. nullopt: something else.
std::optional<uint32_t> number_of(const char* text) {
  const std::string_view digits(text);
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}
bool is_given(const char* parameter) {
  return parameter != nullptr && *parameter != '\0';
}

using Workers = std::vector<const Worker*>;

// All of them, or the one that is asked for; none when it does not exist.
Workers chosen(const Telemetry& telemetry, const char* parameter) {
  if (!is_given(parameter)) return telemetry.workers;
  const auto id = number_of(parameter);
  for (const Worker* worker : telemetry.workers) {
    if (id && worker->id() == *id) return {worker};
  }
  return {};
}

template <typename Get>
uint64_t sum(const Workers& workers, Get get) {
  uint64_t total = 0;
  for (const Worker* worker : workers) total += get(*worker);
  return total;
}
uint64_t sum(const Workers& workers, Counter Counters::*counter) {
  return sum(workers, [counter](const Worker& w) { return (w.counters().*counter).get(); });
}

using Field = std::pair<const char*, Counter Counters::*>;

void add_all(Dict& dict, const Workers& workers, std::initializer_list<Field> fields) {
  for (const auto& [name, counter] : fields) dict.add(name, sum(workers, counter));
}

void list_workers(const Telemetry& telemetry, rte_tel_data* data) {
  rte_tel_data_start_array(data, RTE_TEL_U64_VAL);
  for (const Worker* worker : telemetry.workers) rte_tel_data_add_array_u64(data, worker->id());
}

void show_workers(const Workers& workers, Dict& dict) {
  add_all(dict, workers,
          {{"polls", &Counters::polls},
           {"bursts", &Counters::bursts},
           {"rx", &Counters::rx},
           {"made", &Counters::made},
           {"tx", &Counters::tx},
           {"absorbed", &Counters::absorbed},
           {"to_kernel", &Counters::to_kernel},
           {"held", &Counters::held},
           {"waiting", &Counters::waiting},
           {"queues", &Counters::queues},
           {"retained_octets", &Counters::retained},
           {"unretained", &Counters::unretained},
           {"repaired", &Counters::repaired},
           {"repaired_in_vain", &Counters::repaired_in_vain},
           {"given_up", &Counters::given_up},
           {"flows", &Counters::flows},
           {"flows_aged", &Counters::flows_aged},
           {"flows_displaced", &Counters::flows_displaced}});
  dict.add("dropped", sum(workers, [](const Worker& w) { return w.counters().dropped(); }));
}

void show_stages(const Workers& workers, Dict& dict) {
  dict.add("timed_polls", sum(workers, [](const Worker& w) { return w.times().timed(); }));
  for (size_t s = 0; s < kStages; ++s) {
    const auto stage = static_cast<Stage>(s);
    const uint64_t cycles = sum(workers, [=](const Worker& w) { return w.times().cycles(stage); });
    const uint64_t packets =
        sum(workers, [=](const Worker& w) { return w.times().packets(stage); });
    const std::string name(kStageNames[s]);
    dict.add(name + "_cycles", cycles);
    dict.add(name + "_packets", packets);
    dict.add(name + "_cycles_each", packets == 0 ? 0 : cycles / packets);
  }
}

void show_lanes(const Workers& workers, Dict& dict) {
  add_all(
      dict, workers,
      {{"held", &Counters::held}, {"with_a_hole", &Counters::holed}, {"pages", &Counters::pages}});
  dict.add("with_a_hole_max", workers.size() * kWindows);
  dict.add("pages_max", workers.size() * kPages);
  add_all(dict, workers,
          {{"gaps", &Counters::gaps}, {"forced", &Counters::forced}, {"late", &Counters::late}});
}

void show_drops(const Workers& workers, Dict& dict) {
  for (size_t d = 0; d < kDropCount; ++d)
    dict.add(kDropNames[d],
             sum(workers, [d](const Worker& w) { return w.counters().drops[d].get(); }));
}

void list_paths(const Telemetry& telemetry, rte_tel_data* data) {
  rte_tel_data_start_array(data, RTE_TEL_U64_VAL);
  for (size_t p = 1; p < kPathsMax; ++p) {
    if (!telemetry.paths[p].name.empty()) rte_tel_data_add_array_u64(data, p);
  }
}

constexpr uint64_t kMillion = 1'000'000;

uint64_t lost_ppm(uint64_t received, uint64_t expected) {
  return received >= expected ? 0 : (expected - received) * kMillion / expected;
}

// Worker 0 measures for all; figures that add up are of all.
void show_path(const Telemetry& telemetry, uint8_t p, Dict& dict) {
  const auto all = [&](Counter PathTelemetry::*counter) {
    return sum(telemetry.workers, [=](const Worker& w) { return (w.telemetry(p).*counter).get(); });
  };
  const PathTelemetry& t = telemetry.workers.front()->telemetry(p);
  const auto us = [](const Counter& ns) { return ns.get() / 1000; };
  const bool alive = t.alive.get() != 0, suspected = t.suspected.get() != 0;
  const WatchedPath& path = telemetry.paths[p];
  dict.add("name", path.name);
  dict.add("state", std::string(!alive ? "dead" : suspected ? "suspected" : "alive"));
  dict.add("rtt_us", us(t.rtt_ns));
  dict.add("rtt_variation_us", us(t.rtt_variation_ns));
  dict.add("rtt_min_us", us(t.rtt_min_ns));
  dict.add("pto_us", us(t.pto_ns));
  dict.add("queue_out_us", us(t.queue_out_ns));
  dict.add("queue_in_us", us(t.queue_in_ns));
  dict.add("rate_bps", path.rate_bps != 0 ? path.rate_bps : t.capacity_bps.get());
  dict.add("acknowledged_octets", all(&PathTelemetry::arrived));
  dict.add("fits_octets", t.fits_octets.get());
  const uint64_t received = all(&PathTelemetry::received),
                 sent = all(&PathTelemetry::peer_expected);
  dict.add("received", received);
  dict.add("lost_in_ppm", lost_ppm(received, all(&PathTelemetry::expected)));
  dict.add("sent", sent);
  dict.add("lost_out_ppm", lost_ppm(all(&PathTelemetry::peer_received), sent));
}

// The callbacks. -EINVAL is answered as null.
template <auto show>
int show_of_workers(const char*, const char* parameter, rte_tel_data* data) {
  const std::lock_guard lock(watched_mutex);
  if (watched == nullptr) return -ENODEV;
  const Workers workers = chosen(*watched, parameter);
  if (workers.empty()) return -EINVAL;
  Dict dict(data);
  show(workers, dict);
  return 0;
}

int workers_command(const char* command, const char* parameter, rte_tel_data* data) {
  if (is_given(parameter)) return show_of_workers<show_workers>(command, parameter, data);
  const std::lock_guard lock(watched_mutex);
  if (watched == nullptr) return -ENODEV;
  list_workers(*watched, data);
  return 0;
}

int paths_command(const char*, const char* parameter, rte_tel_data* data) {
  const std::lock_guard lock(watched_mutex);
  if (watched == nullptr) return -ENODEV;
  if (!is_given(parameter)) {
    list_paths(*watched, data);
    return 0;
  }
  const auto p = number_of(parameter);
  if (!p || *p >= kPathsMax || watched->paths[*p].name.empty()) return -EINVAL;
  Dict dict(data);
  show_path(*watched, static_cast<uint8_t>(*p), dict);
  return 0;
}

void register_commands() {
  rte_telemetry_register_cmd("/anabranch/workers", workers_command,
                             "Workers. Parameter: a worker, for its packets and what it holds");
  rte_telemetry_register_cmd("/anabranch/stages", show_of_workers<show_stages>,
                             "Cycles a packet, stage by stage. Parameter: one worker");
  rte_telemetry_register_cmd("/anabranch/lanes", show_of_workers<show_lanes>,
                             "What waits in lanes for what is missing. Parameter: one worker");
  rte_telemetry_register_cmd("/anabranch/drops", show_of_workers<show_drops>,
                             "Dropped packets by reason. Parameter: one worker");
  rte_telemetry_register_cmd("/anabranch/paths", paths_command,
                             "Paths to the peer. Parameter: a path, for its figures");
}

}  // namespace

Telemetry::Telemetry(std::vector<const Worker*> of_workers,
                     std::array<WatchedPath, kPathsMax> of_paths)
    : workers(std::move(of_workers)), paths(std::move(of_paths)) {
  static std::once_flag once;
  std::call_once(once, register_commands);
  const std::lock_guard lock(watched_mutex);
  watched = this;
}

Telemetry::~Telemetry() {
  const std::lock_guard lock(watched_mutex);
  watched = nullptr;
}

}  // namespace anabranch::dataplane
