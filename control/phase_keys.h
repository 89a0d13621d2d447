// SPDX-License-Identifier: BSD-3-Clause
// The keys of one handshake: one for each direction, from the TLS exporter (RFC 8446 7.5).
#pragma once

#include <cstdint>
#include <memory>

#include <tl/expected.hpp>

#include "control/tls/tls_stream.h"
#include "dataplane/keys.h"

namespace anabranch::control {

struct PhaseKeys {
  uint8_t phase = 0;
  std::shared_ptr<const dataplane::TrafficKey> send, receive;
};

// Both sides get each other's keys, whichever side they are on.
PhaseKeys make_phase_keys(const TlsStream& tls, TlsStream::Side side, dataplane::Cipher cipher,
                          uint8_t phase);

}  // namespace anabranch::control
