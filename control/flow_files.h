// SPDX-License-Identifier: BSD-3-Clause
// Keeps flow records here, for a time of their own: as files of IPFIX messages (RFC 5655),
// FOLDER/YYYY-MM-DD-NNNNNNNN.ipfix, each of which explains itself. A new one begins with the
// gateway, each day (UTC), and when one is large enough; the oldest are removed. Written aside.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "billing/ipfix.h"
#include "control/appended_file.h"
#include "control/written_aside.h"

namespace anabranch::control {

class FlowFiles {
 public:
  struct Options {
    std::string folder;
    billing::IpfixDomain domain;
    FileRetention retention;
    uint64_t waiting_max = 1u << 17;  // records; those beyond it are lost
    std::function<void(const std::string&)> notice;
  };
  explicit FlowFiles(Options options);

  // Any thread; never waits.
  void put(std::vector<billing::FlowRecord> records);
  WrittenCounts counts() const { return aside_.counts(); }

 private:
  using Written = tl::expected<void, std::string>;
  Written write(const std::vector<billing::FlowRecord>& records);
  Written begin_file(int64_t now_ns);
  Written append(std::vector<billing::IpfixMessage> messages, int64_t now_ns);

  const std::string folder_;
  const billing::IpfixDomain domain_;
  const FileRetention retention_;
  // Of the thread.
  AppendedFile file_;
  uint32_t sequence_ = 0;  // data records in the file
  WrittenAside<std::vector<billing::FlowRecord>> aside_;
};

}  // namespace anabranch::control
