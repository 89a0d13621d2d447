// SPDX-License-Identifier: BSD-3-Clause
#include "control/decision_audit.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "control/decision.h"

namespace anabranch::control {
namespace {

class Auditor {
 public:
  Auditor(const std::function<bool(const DecisionRecord&)>& is_wanted,
          const std::function<void(const Finding&)>& tell)
      : is_wanted_(is_wanted), tell_(tell) {}

  void look(const std::string& file, size_t number, const std::string& line, bool is_torn) {
    Finding f{.file = file, .line = number};
    auto read = read_record(line);
    // Without its line feed a record counts as not written: the gateway goes on from the one
    // before.
    if (!read || is_torn) {
      f.kind = is_torn ? Finding::Kind::torn : Finding::Kind::spoilt;
      f.what = is_torn ? "is torn: the gateway was killed, or the machine, while it was written"
                       : read.error();
      ++unread_;
      return tell_(f);
    }
    f.record = std::move(read->record);
    follow(f, read->sha256);
    if (is_wanted_(*f.record)) decide_again(f);
  }

 private:
  // Whether it comes next behind the last that could be read.
  void follow(Finding& f, const std::string& sha256) {
    const DecisionRecord& r = *f.record;
    const bool is_next = r.number == last_.number + 1;
    const bool is_later = r.number > last_.number;
    const uint64_t missing = is_later ? r.number - last_.number - 1 : 0;
    if (!is_first_ && !is_later) {
      say_missing(f, "stands behind record " + std::to_string(last_.number));
    } else if (!is_first_ && is_next && r.previous != last_.sha256) {
      say_missing(f, "follows another record than the one before it");
    } else if (!is_first_ && missing > unread_) {
      say_missing(f, std::to_string(missing - unread_) + " records before it are missing");
    }
    is_first_ = false;
    unread_ = 0;
    last_ = {r.number, sha256};
  }

  void say_missing(const Finding& f, const std::string& what) {
    Finding missing = f;
    missing.kind = Finding::Kind::missing;
    missing.what = what;
    tell_(missing);
  }

  void decide_again(Finding& f) {
    const auto again = replay(f.record->decision);
    if (!again) {
      f.kind = Finding::Kind::spoilt;
      f.what = again.error();
    } else if (!again->same) {
      f.kind = Finding::Kind::differs;
      f.what = again->difference;
    }
    tell_(f);
  }

  const std::function<bool(const DecisionRecord&)>& is_wanted_;
  const std::function<void(const Finding&)>& tell_;
  ChainEnd last_;
  bool is_first_ = true;  // what was before it may have been removed for its age
  uint64_t unread_ = 0;   // lines since the last that could be read
};

}  // namespace

const char* to_string(Finding::Kind kind) {
  static constexpr const char* kNames[] = {"same", "differs", "spoilt", "torn", "missing"};
  return kNames[static_cast<size_t>(kind)];
}

tl::expected<void, std::string> audit(const std::vector<std::string>& files,
                                      const std::function<bool(const DecisionRecord&)>& is_wanted,
                                      const std::function<void(const Finding&)>& tell) {
  Auditor auditor(is_wanted, tell);
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return tl::unexpected(file + ": cannot be read: " + std::strerror(errno));
    std::string line;
    // The last line has no line feed behind it when getline() ends at the file's end.
    for (size_t number = 1; std::getline(in, line); ++number)
      auditor.look(file, number, line, in.eof());
  }
  return {};
}

}  // namespace anabranch::control
