// SPDX-License-Identifier: BSD-3-Clause
// One connection of a control session: TLS 1.3 over a TCP socket that does not block, both sides
// with certificates. Control thread.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "control/tls/identity.h"

namespace anabranch::control {

class TlsStream {
 public:
  enum class Side : uint8_t { client, server };
  // Owns `fd`, a connected socket. `identity` must outlive the stream.
  TlsStream(const Identity& identity, int fd, Side side);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  enum class Step : uint8_t { done, again, failed };
  // `again`: when poll(2) reports wanted().
  Step handshake();
  // Appends what has arrived, at most a record. `again`: nothing has.
  Step read(std::string& in);
  // Takes away what was written. `again`: some is left.
  Step write(std::string& out);

  int fd() const { return fd_; }
  short wanted() const;  // POLLIN or POLLOUT
  // After `failed`: why, as a sentence.
  const std::string& why() const { return why_; }
  // What the verification has against the peer's certificate.
  void object(const std::string& objection) { objection_ = objection; }

  // Secrets both sides have and nobody else (RFC 8446 7.5). After the handshake.
  bool export_secret(std::string_view label, std::string_view context,
                     std::span<uint8_t> out) const;

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  Step failed(int result);

  int fd_;
  std::unique_ptr<SSL, Free> ssl_;
  std::string why_, objection_;
};

}  // namespace anabranch::control
