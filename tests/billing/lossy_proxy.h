// SPDX-License-Identifier: BSD-3-Clause
// Stands between a client and PostgreSQL on unix sockets, and loses the answer to a COMMIT: the
// server has done it, the client's connection ends.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

namespace anabranch::billing {

class LossyProxy {
 public:
  // Both are folders with a socket named as PostgreSQL does.
  LossyProxy(const std::string& folder, const std::string& server_folder)
      : socket_(folder + kName), server_(server_folder + kName) {
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = address_of(socket_);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 4) != 0)
      std::abort();
    thread_ = std::thread([this] { serve(); });
  }
  ~LossyProxy() {
    ended_ = true;
    thread_.join();
    close(listener_);
    unlink(socket_.c_str());
  }

  std::atomic<bool> lose_next_commit = false;
  std::atomic<bool> refuse = false;  // new connections
  std::atomic<int> lost = 0;

 private:
  static constexpr const char* kName = "/.s.PGSQL.5432";
  static constexpr int kTurnMs = 20;

  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }
  void serve() {
    while (!ended_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (poll(&waiting, 1, kTurnMs) != 1) continue;
      const int client = accept(listener_, nullptr, nullptr);
      const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_un address = address_of(server_);
      if (!refuse &&
          connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        carry(client, server);
      close(client);
      close(server);
    }
  }
  void carry(int client, int server) {
    bool losing = false;
    char buffer[65536];
    while (!ended_) {
      pollfd both[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (poll(both, 2, kTurnMs) <= 0) continue;
      for (int from = 0; from < 2; ++from) {
        if (both[from].revents == 0) continue;
        const ssize_t n = read(both[from].fd, buffer, sizeof buffer);
        if (n <= 0) return;
        const std::string_view bytes(buffer, static_cast<size_t>(n));
        if (from == 0 && bytes.find("COMMIT") != bytes.npos && lose_next_commit.exchange(false))
          losing = true;
        if (from == 1 && losing) {
          ++lost;
          return;
        }
        if (write(both[1 - from].fd, buffer, static_cast<size_t>(n)) != n) return;
      }
    }
  }

  std::string socket_, server_;
  int listener_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace anabranch::billing
