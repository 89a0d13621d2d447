// SPDX-License-Identifier: BSD-3-Clause
#include "tools/journal.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "billing/journal_reader.h"
#include "billing/journal_rewrite.h"
#include "billing/journal_verify.h"
#include "tools/common.h"

namespace anabranch::tools {
namespace {

using namespace billing;
using nlohmann::json;

constexpr unsigned kPollUs = 100'000;

volatile sig_atomic_t ended = 0;

struct JournalWanted {
  std::vector<std::string> folders;
  std::optional<uint64_t> service;
  std::string path;  // name or id
  std::string from, to;
};

// "2026-11-25", "2026-11-25T05:43" or "2026-11-25T05:43:32", with or without Z: UTC.
int64_t parse_time(const std::string& option, const std::string& text) {
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    tm utc{};
    const char* end = strptime(text.c_str(), format, &utc);
    if (end != nullptr && (*end == 0 || std::string_view(end) == "Z"))
      return int64_t{timegm(&utc)} * 1'000'000'000;
  }
  throw CLI::ValidationError(option, text + ": expected a time in UTC such as 2026-11-25T05:43:32");
}

WallRange range_of(const JournalWanted& wanted) {
  WallRange range;
  if (!wanted.from.empty()) range.from_ns = parse_time("--from", wanted.from);
  if (!wanted.to.empty()) range.to_ns = parse_time("--to", wanted.to);
  return range;
}

// One journal being printed: knows the names by then.
class Printer {
 public:
  Printer(const JournalWanted& wanted, std::string folder, bool as_json)
      : wanted_(wanted), folder_(std::move(folder)), range_(range_of(wanted)), as_json_(as_json) {}

  void take(const JournalFrame& frame, bool print) {
    if (frame.header.type == FrameType::catalogue) add_frame(catalogue_, frame.text());
    if (!print) return;
    for (const UsageRecord& record : frame.usage()) {
      if (chosen(record)) this->print(frame, record);
    }
  }

 private:
  bool chosen(const UsageRecord& record) const {
    if (wanted_.service && record.key.service != *wanted_.service) return false;
    if (!range_.meets(std::min(record.wall_from_ns, record.wall_to_ns),
                      std::max(record.wall_from_ns, record.wall_to_ns)))
      return false;
    if (wanted_.path.empty() || wanted_.path == std::to_string(record.key.path)) return true;
    const auto path = catalogue_.paths.find(record.key.path);
    return path != catalogue_.paths.end() && path->second.name == wanted_.path;
  }

  void print(const JournalFrame& frame, const UsageRecord& r) const {
    const auto path = catalogue_.paths.find(r.key.path);
    const auto service = catalogue_.services.find(r.key.service);
    const Catalogue::Path names = path == catalogue_.paths.end() ? Catalogue::Path{} : path->second;
    const std::string client = service == catalogue_.services.end()
                                   ? (r.key.service == 0            ? "house"
                                      : r.key.service == kPathTotal ? "all"
                                                                    : "?")
                                   : service->second.client;
    const auto direction = kDirectionNames[static_cast<size_t>(r.key.direction) & 1];
    const auto kind = kKindNames[std::min(static_cast<size_t>(r.key.kind), kKindNames.size() - 1)];
    if (as_json_) {
      const json line{{"folder", folder_},
                      {"gateway", catalogue_.gateway},
                      {"frame", frame.header.sequence},
                      {"from", utc_text(r.wall_from_ns)},
                      {"to", utc_text(r.wall_to_ns)},
                      {"service", r.key.service},
                      {"client", client},
                      {"path", r.key.path},
                      {"path_name", names.name},
                      {"provider", names.provider},
                      {"network", names.network},
                      {"direction", direction},
                      {"kind", kind},
                      {"region", r.key.region},
                      {"worker", r.key.worker},
                      {"octets", r.octets_to - r.octets_from},
                      {"octets_from", r.octets_from},
                      {"octets_to", r.octets_to},
                      {"packets_from", r.packets_from},
                      {"packets_to", r.packets_to}};
      fmt::print("{}\n", line.dump(-1, ' ', false, json::error_handler_t::replace));
      return;
    }
    fmt::print(
        "{} {} {:<10} service {:<5} {:<12} {:<12} {:<12} {:<8} {:<10} {:>12} octets {:>9} "
        "packets\n",
        utc_text(r.wall_from_ns), utc_text(r.wall_to_ns).substr(11), catalogue_.gateway,
        r.key.service, client, names.name.empty() ? std::to_string(r.key.path) : names.name,
        names.provider, direction, kind, r.octets_to - r.octets_from,
        r.packets_to - r.packets_from);
  }

  const JournalWanted& wanted_;
  std::string folder_;
  WallRange range_;
  bool as_json_;
  Catalogue catalogue_;
};

int verify(const JournalWanted& wanted, bool as_json) {
  bool whole = true;
  json all = json::array();
  for (const std::string& folder : wanted.folders) {
    const auto report = verify_journal(real_disk(false), folder);
    if (!report) fail(kUnreadable, report.error().text());
    whole = whole && report->whole();
    if (as_json)
      all.push_back(to_json(*report));
    else
      fmt::print("{}", to_text(*report));
  }
  if (as_json) fmt::print("{}\n", all.dump(2, ' ', false, json::error_handler_t::replace));
  return whole ? 0 : kRefused;
}

int dump(const JournalWanted& wanted, bool as_json) {
  for (const std::string& folder : wanted.folders) {
    Printer printer(wanted, folder, as_json);
    if (auto listed = list_segments(real_disk(false), folder); !listed)
      fail(kUnreadable, listed.error().text());
    FolderReader reader(real_disk(false), folder, {.range = range_of(wanted)});
    for (;;) {
      const auto frame = reader.next();
      if (!frame) {
        std::fflush(stdout);
        fmt::print(stderr, "anabranch: {}\n", frame.error().text());
        return kRefused;
      }
      if (!*frame) break;
      printer.take(**frame, true);
    }
  }
  return 0;
}

// What is written from now on.
int follow(const JournalWanted& wanted, bool as_json) {
  struct sigaction action {};
  action.sa_handler = [](int) { ended = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::vector<Printer> printers;
  std::vector<FolderReader> readers;
  for (const std::string& folder : wanted.folders) {
    const auto spans = segment_spans(real_disk(false), folder);
    if (!spans) fail(kUnreadable, spans.error().text());
    const uint64_t last = spans->empty() ? 0 : spans->back().number;
    readers.emplace_back(
        real_disk(false), folder,
        FolderReader::Options{.range = {}, .from = {.segment = last}, .check_tail = false});
    printers.emplace_back(wanted, folder, as_json);
  }
  for (bool print = false; ended == 0; print = true) {
    for (size_t i = 0; i < readers.size(); ++i) {
      while (ended == 0) {
        const auto frame = readers[i].next();
        if (!frame) {
          fmt::print(stderr, "anabranch: {}\n", frame.error().text());
          return kRefused;
        }
        if (!*frame) break;
        printers[i].take(**frame, print);
      }
    }
    std::fflush(stdout);
    if (ended == 0) usleep(kPollUs);  // ended early by a signal
  }
  return 0;
}

int repair(const JournalWanted& wanted, bool as_json) {
  json all = json::array();
  for (const std::string& folder : wanted.folders) {
    if (auto listed = list_segments(real_disk(false), folder); !listed)
      fail(kUnreadable, listed.error().text());
    const auto done = repair_journal(real_disk(false), folder);
    if (!done) {
      fmt::print(stderr, "anabranch: {}\n", done.error());
      return kRefused;
    }
    for (const std::string& sentence : *done) {
      if (as_json)
        all.push_back(sentence);
      else
        fmt::print("{}\n", sentence);
    }
    if (done->empty() && !as_json) fmt::print("{}: whole, nothing was done\n", folder);
  }
  if (as_json) fmt::print("{}\n", all.dump(2, ' ', false, json::error_handler_t::replace));
  return 0;
}

}  // namespace

void add_journal(CLI::App& app, const bool& as_json) {
  auto* journal = app.add_subcommand("journal", "usage journals on this machine; may be in use");
  journal->require_subcommand(1);
  struct Command {
    const char* name;
    const char* what;
    int (*run)(const JournalWanted&, bool);
    bool filters, times;
  };
  for (const Command& command :
       {Command{"verify", "is all of it there? frames, records, octets, gaps", verify, false,
                false},
        Command{"dump", "print records", dump, true, true},
        Command{"follow", "print records as they are written, until Ctrl-C", follow, true, false},
        Command{"repair", "make a damaged journal whole, with what is known around the damage",
                repair, false, false}}) {
    auto wanted = std::make_shared<JournalWanted>();
    auto* sub = journal->add_subcommand(command.name, command.what);
    sub->add_option("folder", wanted->folders, "STATE_DIR/journal of one or more gateways")
        ->required();
    if (command.filters) {
      sub->add_option("--service", wanted->service, "only this service; 0: the house");
      sub->add_option("--path", wanted->path, "only this path, by name or id");
    }
    if (command.times) {
      sub->add_option("--from", wanted->from, "UTC, such as 2026-11-25T05:43");
      sub->add_option("--to", wanted->to, "UTC, before this time");
    }
    sub->callback([wanted, &as_json, run = command.run] {
      const int status = run(*wanted, as_json);
      if (status != 0) std::exit(status);
    });
  }
}

}  // namespace anabranch::tools
