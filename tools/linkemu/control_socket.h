// SPDX-License-Identifier: BSD-3-Clause
// A unix stream socket on which one line asks and one line answers, then the connection closes.
//
// The serving side never waits for a client. A request is at most 4096 octets, what is longer is
// taken for its end, and a client that takes longer than a second is closed. One thread.
#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace anabranch::linkemu {

class ControlSocket {
 public:
  using Answer = std::function<std::string(const std::string& request)>;

  // Replaces a socket that nobody listens on any more. The error: somebody does, or the path cannot
  // be made.
  static tl::expected<std::unique_ptr<ControlSocket>, std::string> listen(const std::string& path,
                                                                          Answer answer);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  // What to poll for until serve() has something to do.
  void add_to(std::vector<pollfd>& fds) const;
  // Goes on with every client as far as it goes without waiting.
  void serve(uint64_t now_ns);
  // When serve() has to be called at the latest; UINT64_MAX: no client is there.
  uint64_t deadline_ns() const;

 private:
  struct Client {
    int fd = -1;
    uint64_t deadline_ns = 0;
    std::string request;
    std::string reply;
    size_t written = 0;
  };

  ControlSocket() = default;
  void accept_clients(uint64_t now_ns);
  bool go_on(Client& client);
  bool read_request(Client& client);

  std::string path_;
  Answer answer_;
  int fd_ = -1;
  std::vector<Client> clients_;
};

// Asks and waits for the answer, at most some seconds. The error: nobody answers.
tl::expected<std::string, std::string> ask(const std::string& path, const std::string& request);

}  // namespace anabranch::linkemu
