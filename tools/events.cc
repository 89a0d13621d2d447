// SPDX-License-Identifier: BSD-3-Clause
#include "tools/events.h"

#include <httplib.h>

#include <chrono>
#include <functional>
#include <thread>

#include "control/octets.h"
#include "tools/common.h"

namespace anabranch::tools {
namespace {

using nlohmann::json;

constexpr auto kComeAgain = std::chrono::seconds(2);
// Heartbeats come each 5 s.
constexpr time_t kSilenceMax = 20;

struct ServerEvent {
  std::string id, name, data;
};

// Server-sent events out of a stream, as far as our gateway writes them: one line of data each.
class EventParser {
 public:
  explicit EventParser(std::function<void(const ServerEvent&)> take) : take_(std::move(take)) {}

  void read(std::string_view octets) {
    for (const char c : octets) {
      if (c != '\n') {
        line_ += c;
        continue;
      }
      end_line();
      line_.clear();
    }
  }
  const std::string& last_id() const { return last_id_; }
  void connection_is_new() { line_.clear(), event_ = {}; }

 private:
  void end_line() {
    const auto value = [&](const char* field) {
      const std::string begin = std::string(field) + ": ";
      return line_.starts_with(begin) ? std::optional(line_.substr(begin.size())) : std::nullopt;
    };
    if (const auto id = value("id")) event_.id = *id;
    if (const auto name = value("event")) event_.name = *name;
    if (const auto data = value("data")) event_.data = *data;
    if (!line_.empty()) return;
    if (!event_.id.empty()) last_id_ = event_.id;
    if (!event_.data.empty()) take_(event_);
    event_ = {};
  }

  std::function<void(const ServerEvent&)> take_;
  std::string line_, last_id_;
  ServerEvent event_;
};

std::string scenario_words(const json& s) {
  std::string text;
  for (const json& share : s.value("shares", json::array()))
    text += (text.empty() ? "" : "+") + share.value("path", "");
  text += " " + s.value("dispersion", "");
  const json reasons = s.value("reasons", json::array());
  return reasons.empty() ? text : text + ": " + reasons[0].get<std::string>();
}

void print_event(const ServerEvent& event) {
  const json data = json::parse(event.data, nullptr, false);
  if (!data.is_object()) return;
  std::string text;
  const auto add = [&](const std::string& words) { text += (text.empty() ? "" : ", ") + words; };
  if (data.contains("services")) {
    std::string ids;
    for (const json& id : data["services"]) ids += (ids.empty() ? "" : " ") + id.dump();
    add(ids + " of " + data.value("client", ""));
  }
  for (const char* field : {"path", "of", "name", "state", "kind", "id", "peer", "note"}) {
    const json value = data.value(field, json());
    if (value.is_string()) add(value.get<std::string>());
  }
  if (data.contains("rating"))
    add(fmt::format("{:.1f}, before {:.1f}", data["rating"].get<double>(),
                    data["before"].get<double>()));
  if (data.contains("after_ms"))
    add(fmt::format("by {} services {:.1f} ms after it was last seen alive", data["left_by"].dump(),
                    data["after_ms"].get<double>()));
  if (data.contains("quota"))
    add(fmt::format("{}: {} % of {} is used, until {}; at 100 % {}", data.value("quota", ""),
                    data["percent"].get<uint64_t>(),
                    control::rounded_octets_text(data["allowed"].get<uint64_t>()),
                    data.value("cycle_end", ""), data.value("what_follows", "")));
  if (data.contains("octets")) add(data["octets"].dump() + " octets");
  if (data.contains("scenario")) add(scenario_words(data["scenario"]));
  fmt::print("{} {:<16} {}\n", data.value("at", ""), event.name, text);
}

void print_event_json(const ServerEvent& event) {
  fmt::print("{}\n", json{{"id", event.id},
                          {"event", event.name},
                          {"data", json::parse(event.data, nullptr, false)}}
                         .dump());
}

[[noreturn]] void follow_events(const std::string& api, const std::string& token, bool as_json) {
  EventParser parser([as_json](const ServerEvent& event) {
    as_json ? print_event_json(event) : print_event(event);
    std::fflush(stdout);
  });
  for (bool was_there = false;; std::this_thread::sleep_for(kComeAgain)) {
    httplib::Client http(api);
    http.set_read_timeout(kSilenceMax);
    if (!token.empty()) http.set_bearer_token_auth(token);
    httplib::Headers headers;
    if (!parser.last_id().empty()) headers.emplace("Last-Event-ID", parser.last_id());
    parser.connection_is_new();
    int status = 0;
    std::string refusal;
    const auto result = http.Get(
        "/v1/events", headers,
        [&](const httplib::Response& response) {
          status = response.status;
          return true;
        },
        [&](const char* octets, size_t count) {
          if (status == 200)
            parser.read({octets, count});
          else
            refusal.append(octets, count);
          return true;
        });
    was_there = was_there || status == 200;
    // Who may not listen is told why; who may is told so when there are too many, and waits.
    if (status >= 400 && (status < 500 || !was_there)) {
      const json problem = json::parse(refusal, nullptr, false);
      fail(kRefused, problem.is_object() ? problem.value("detail", "") : refusal);
    }
    if (!was_there)
      fail(kUnreadable, api + " cannot be reached: " + httplib::to_string(result.error()));
    fmt::print(stderr, "anabranch: the gateway is away; trying again\n");
  }
}

}  // namespace

void add_events(CLI::App& app, const std::string& api, const std::string& token,
                const bool& as_json) {
  app.add_subcommand("events", "what happens at the gateway, as it happens")
      ->callback([&api, &token, &as_json] { follow_events(api, token, as_json); });
}

}  // namespace anabranch::tools
