// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/rest.h"

#include <rte_pause.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <ctime>

namespace anabranch::dataplane {

Rest::Rest(std::span<const int> sockets, Doorbell* bell) : bell_(bell) {
  for (const int socket : sockets)
    sockets_.push_back({.fd = socket, .events = POLLIN, .revents = 0});
  if (bell != nullptr) sockets_.push_back({.fd = bell->fd(), .events = POLLIN, .revents = 0});
  // Without this the kernel adds 50 µs to each sleep.
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

void Rest::rest(bool at_rest) {
  if (++empty_ < kLooks) return rte_pause();
  if (at_rest && empty_ > kLooks + kNaps && !sockets_.empty()) return listen();
  nap();
}

void Rest::nap() {
  const timespec pause{0, static_cast<long>(kNapNs)};
  nanosleep(&pause, nullptr);
}

void Rest::listen() {
  if (bell_ != nullptr && !at_bell_) {
    at_bell_ = true;
    return bell_->fall_asleep();  // what came before that did not ring: the worker looks again
  }
  const timespec pause{0, static_cast<long>(kListenNs)};
  const int ready = ppoll(sockets_.data(), sockets_.size(), &pause, nullptr);
  leave_bell();
  if (ready <= 0) return;
  // An interface that goes down is an error of its socket, which stays until it is read.
  for (const pollfd& socket : sockets_) {
    if ((socket.revents & ~POLLIN) == 0) continue;
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &length);
    nap();
  }
}

}  // namespace anabranch::dataplane
