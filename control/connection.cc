// SPDX-License-Identifier: BSD-3-Clause
#include "control/connection.h"

#include <poll.h>

namespace anabranch::control {
namespace {

constexpr size_t kLength = 4;
constexpr size_t kOutMax = 4 * 1024 * 1024;  // a peer that does not read is lost, not waited for

size_t announced_length(const std::string& in) {
  const auto* p = reinterpret_cast<const uint8_t*>(in.data());
  return size_t{p[0]} << 24 | size_t{p[1]} << 16 | size_t{p[2]} << 8 | p[3];
}

}  // namespace

Connection::Connection(Loop& loop, const Identity& identity, int fd, TlsStream::Side side,
                       std::string from, const Events& events)
    : loop_(loop), tls_(identity, fd, side), from_(std::move(from)), events_(events) {
  watch(side == TlsStream::Side::client ? POLLOUT : POLLIN);
}

Connection::~Connection() {
  end();
}

void Connection::end() {
  if (ended_) return;
  ended_ = true;
  loop_.unwatch(tls_.fd());
}

void Connection::lose(const std::string& why) {
  if (ended_) return;
  end();
  events_.lost(*this, why);
}

void Connection::watch(short events) {
  loop_.watch(tls_.fd(), events, [this](short happened) { ready(happened); });
}

void Connection::ready(short events) {
  if (!authenticated_) return shake_hands();
  if ((events & POLLOUT) != 0) write();
  if (!ended_ && (events & ~POLLOUT) != 0) read();
}

void Connection::shake_hands() {
  switch (tls_.handshake()) {
    case TlsStream::Step::again:
      return watch(tls_.wanted());
    case TlsStream::Step::failed:
      return lose(tls_.why());
    case TlsStream::Step::done:
      authenticated_ = true;
      heard_ = Clock::now();
      watch(POLLIN);
      return events_.authenticated(*this);
  }
}

// All there is: TLS may have taken more from the socket than one record, of which poll(2) knows
// nothing. The peer cannot keep the thread for long, since it is authenticated.
void Connection::read() {
  while (!ended_) {
    const TlsStream::Step step = tls_.read(in_);
    if (step == TlsStream::Step::again) return;
    if (step == TlsStream::Step::failed) return lose(tls_.why());
    heard_ = Clock::now();
    consume();
  }
}

void Connection::consume() {
  while (!ended_ && in_.size() >= kLength) {
    const size_t length = announced_length(in_);
    if (length > kMessageMax) {
      return lose("a message of " + std::to_string(length) + " octets was announced; at most " +
                  std::to_string(kMessageMax) + " are allowed");
    }
    if (in_.size() < kLength + length) return;
    const auto message = decode(std::string_view(in_).substr(kLength, length));
    in_.erase(0, kLength + length);
    if (!message) return lose(message.error());
    events_.message(*this, *message);
  }
}

void Connection::send(const Message& message) {
  if (ended_ || !authenticated_) return;
  const std::string text = encode(message);
  const auto n = static_cast<uint32_t>(text.size());
  for (int shift = 24; shift >= 0; shift -= 8) out_.push_back(static_cast<char>(n >> shift));
  out_ += text;
  write();
}

void Connection::write() {
  if (tls_.write(out_) == TlsStream::Step::failed) return lose(tls_.why());
  if (out_.size() > kOutMax) return lose("the peer does not read");
  watch(static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT));
}

}  // namespace anabranch::control
