// SPDX-License-Identifier: BSD-3-Clause
#include "control/tls/tls_stream.h"

#include <openssl/err.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace anabranch::control {

TlsStream::TlsStream(const Identity& identity, int fd, Side side)
    : fd_(fd), ssl_(SSL_new(identity.context())) {
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_fd(ssl_.get(), fd);
  if (side == Side::client) {
    SSL_set_connect_state(ssl_.get());
  } else {
    SSL_set_accept_state(ssl_.get());
  }
}

TlsStream::~TlsStream() {
  // Says goodbye if it can; waits for nothing.
  if (why_.empty() && SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());
  ERR_clear_error();
  ssl_.reset();
  close(fd_);
}

TlsStream::Step TlsStream::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  return result == 1 ? Step::done : failed(result);
}

TlsStream::Step TlsStream::read(std::string& in) {
  char buffer[16384];
  ERR_clear_error();
  const int n = SSL_read(ssl_.get(), buffer, sizeof buffer);
  if (n <= 0) return failed(n);
  in.append(buffer, static_cast<size_t>(n));
  return Step::done;
}

TlsStream::Step TlsStream::write(std::string& out) {
  while (!out.empty()) {
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), out.data(), static_cast<int>(out.size()));
    if (n <= 0) return failed(n);
    out.erase(0, static_cast<size_t>(n));
  }
  return Step::done;
}

short TlsStream::wanted() const {
  return SSL_want_write(ssl_.get()) ? POLLOUT : POLLIN;
}

TlsStream::Step TlsStream::failed(int result) {
  const int system_error = errno;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Step::again;
  const unsigned long code = ERR_peek_error();
  const char* reason = ERR_reason_error_string(code);
  if (!objection_.empty()) {
    why_ = objection_;
  } else if (error == SSL_ERROR_ZERO_RETURN ||
             ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    why_ = "the peer closed the connection";
  } else if (ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET) {
    why_ = std::string("the peer refused this gateway: ") + (reason == nullptr ? "?" : reason);
  } else if (reason != nullptr) {
    why_ = std::string("TLS: ") + reason;
  } else {
    why_ = system_error == 0 ? "the peer closed the connection" : std::strerror(system_error);
  }
  ERR_clear_error();
  return Step::failed;
}

bool TlsStream::export_secret(std::string_view label, std::string_view context,
                              std::span<uint8_t> out) const {
  return SSL_export_keying_material(ssl_.get(), out.data(), out.size(), label.data(), label.size(),
                                    reinterpret_cast<const uint8_t*>(context.data()),
                                    context.size(), 1) == 1;
}

}  // namespace anabranch::control
