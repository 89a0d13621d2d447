// SPDX-License-Identifier: BSD-3-Clause
// Mails that are to be sent, are being sent and were, in the ledger's store: each change of a mail
// is a version of its document "mails", so its history can be read. One thread.
//
// Whoever sends takes the mail first, for a while. Should it end meanwhile, another takes it up
// behind that while, and the mail is known to be one that may have arrived already.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "billing/ledger.h"
#include "billing/preferences.h"

namespace anabranch::billing {

struct QueuedMail {
  // given_up: nobody took it for days.
  enum class State : uint8_t { waiting, sending, sent, refused, given_up };

  std::string id;  // the statement's: "anabranch-co/2026-000123"
  std::string to;
  std::vector<Format> attached;
  State state = State::waiting;
  int64_t queued_ns = 0;
  int64_t next_ns = 0;      // it is not to be sent, or is someone's who sends it, before then
  uint32_t attempts = 0;    // begun
  uint32_t unanswered = 0;  // of which nobody knows whether the mail arrived
  std::string last;         // what the server said last
  int64_t version = 0;      // of the document; 0: is not stored yet

  bool open() const { return state == State::waiting || state == State::sending; }
};

class MailQueue {
 public:
  explicit MailQueue(Ledger& ledger);

  // The newest of each that changed since then.
  Stored<std::vector<QueuedMail>> mails(int64_t since_ns) const;
  // What has become of one. False: someone else has changed it meanwhile, or it is there already,
  // and nothing was stored. `mail` gets its new version.
  Stored<bool> put(QueuedMail& mail, int64_t now_ns);

 private:
  Ledger& ledger_;
  std::string who_;  // no other process, ever
};

}  // namespace anabranch::billing
