// SPDX-License-Identifier: BSD-3-Clause
#include "tools/replay.h"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>

#include "control/decision_audit.h"
#include "control/decision_files.h"
#include "tools/common.h"

namespace anabranch::tools {
namespace {

using control::DecisionRecord;
using control::Finding;
using nlohmann::json;

struct ReplayWanted {
  std::string state;
  std::vector<std::string> files;
  uint64_t service = 0;  // 0: all
};

std::string services_text(const DecisionRecord& r) {
  if (r.services.empty()) return "a request that was refused";
  constexpr size_t kNamed = 5;
  std::string text = r.services.size() == 1 ? "service " : "services ";
  for (size_t i = 0; i < std::min(r.services.size(), kNamed); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(r.services[i]);
  if (r.services.size() > kNamed) text += fmt::format(" and {} more", r.services.size() - kNamed);
  return text;
}

json finding_json(const Finding& f) {
  json result{{"file", f.file}, {"line", f.line}, {"result", to_string(f.kind)}};
  if (!f.what.empty()) result["what"] = f.what;
  if (f.record) {
    result["number"] = f.record->number;
    result["at"] = control::millisecond_text(f.record->at_ns);
    result["gateway"] = f.record->gateway;
    result["services"] = f.record->services;
  }
  return result;
}

void print_finding(const Finding& f) {
  if (f.kind == Finding::Kind::same) return;
  std::string record;
  if (f.record) {
    record = fmt::format("decision {} of {} for {}: ", f.record->number,
                         control::millisecond_text(f.record->at_ns), services_text(*f.record));
  }
  fmt::print("{}:{}: {}{}\n", f.file, f.line, record, f.what);
}

int replay_all(const ReplayWanted& wanted, bool as_json) {
  std::vector<std::string> files = wanted.files;
  if (!wanted.state.empty()) files = control::decision_files(wanted.state + "/decisions");
  if (files.empty()) fail(kUnreadable, wanted.state + "/decisions: no decisions are on record");
  std::array<size_t, 5> counts{};
  json findings = json::array();
  const auto is_wanted = [&](const DecisionRecord& r) {
    return wanted.service == 0 ||
           std::find(r.services.begin(), r.services.end(), wanted.service) != r.services.end();
  };
  const auto tell = [&](const Finding& f) {
    ++counts[static_cast<size_t>(f.kind)];
    if (as_json)
      findings.push_back(finding_json(f));
    else
      print_finding(f);
  };
  if (const auto read = control::audit(files, is_wanted, tell); !read)
    fail(kUnreadable, read.error());
  const auto count = [&](Finding::Kind kind) { return counts[static_cast<size_t>(kind)]; };
  json summary;
  for (size_t k = 0; k < counts.size(); ++k)
    summary[to_string(static_cast<Finding::Kind>(k))] = counts[k];
  if (as_json)
    print_json({{"records", findings}, {"counts", summary}});
  else
    fmt::print("{} the same, {} not; {} torn, {} spoilt, {} missing or out of order\n",
               count(Finding::Kind::same), count(Finding::Kind::differs),
               count(Finding::Kind::torn), count(Finding::Kind::spoilt),
               count(Finding::Kind::missing));
  const size_t all = std::accumulate(counts.begin(), counts.end(), size_t{0});
  return all == count(Finding::Kind::same) ? 0 : kRefused;
}

}  // namespace

void add_replay(CLI::App& app, const bool& as_json) {
  auto* sub = app.add_subcommand("replay", "decide again what is on record, and say what differs");
  auto wanted = std::make_shared<ReplayWanted>();
  auto* state = sub->add_option("--state", wanted->state, "a gateway's state_dir");
  auto* files = sub->add_option("files", wanted->files, "files of decisions, the oldest first");
  sub->add_option("--service", wanted->service, "what was decided for this service only");
  state->excludes(files);
  sub->callback([wanted, &as_json] {
    if (wanted->state.empty() && wanted->files.empty())
      throw CLI::ValidationError("replay", "expected --state or files");
    if (const int status = replay_all(*wanted, as_json); status != 0) std::exit(status);
  });
}

}  // namespace anabranch::tools
