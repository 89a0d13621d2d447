// SPDX-License-Identifier: BSD-3-Clause
// A PostgreSQL server of one's own: an unprivileged user's, in a temporary folder, on a unix socket
// only. It ends, and its folder goes, when this object does, or this process does for whatever
// reason.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

namespace anabranch::billing {

class PostgresServer {
 public:
  // nullptr, with the reason on standard error: there is no PostgreSQL, or it does not start.
  // `durable` as in production; without it, tests do not wait for the disk.
  static std::unique_ptr<PostgresServer> start(bool durable);
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // An address of that database; of that schema, unless it is empty.
  std::string url(const std::string& database, const std::string& schema = {}) const;
  const std::string& folder() const { return folder_; }  // of its socket
  // A new schema's address.
  std::string fresh();

 private:
  PostgresServer(std::string folder, std::string user, pid_t guardian, int alive)
      : folder_(std::move(folder)), user_(std::move(user)), guardian_(guardian), alive_(alive) {}

  std::string folder_, user_;
  pid_t guardian_;
  int alive_;  // the guardian acts when all ends of this pipe are closed
  int schemas_ = 0;
};

}  // namespace anabranch::billing
