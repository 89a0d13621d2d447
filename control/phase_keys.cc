// SPDX-License-Identifier: BSD-3-Clause
#include "control/phase_keys.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace anabranch::control {
namespace {

// One secret for each use: who sends and with which cipher is part of the context.
std::shared_ptr<const dataplane::TrafficKey> make_key(const TlsStream& tls, const char* sender,
                                                      dataplane::Cipher cipher) {
  const std::string context =
      std::string(sender) + " " + std::string(dataplane::kCipherNames[static_cast<size_t>(cipher)]);
  const size_t length = dataplane::key_length(cipher);
  std::array<uint8_t, 32 + dataplane::kNonce> secret{};
  const std::span<uint8_t> wanted(secret.data(), length + dataplane::kNonce);
  if (!tls.export_secret("EXPORTER-anabranch-traffic", context, wanted)) std::abort();
  dataplane::Nonce iv;
  std::copy_n(&secret[length], iv.size(), iv.begin());
  // Not make_shared: the key's own operator new finds it its pages.
  std::shared_ptr<const dataplane::TrafficKey> key(
      new dataplane::TrafficKey(cipher, wanted.first(length), iv));
  explicit_bzero(secret.data(), secret.size());
  return key;
}

}  // namespace

PhaseKeys make_phase_keys(const TlsStream& tls, TlsStream::Side side, dataplane::Cipher cipher,
                          uint8_t phase) {
  auto from_client = make_key(tls, "client", cipher), from_server = make_key(tls, "server", cipher);
  if (side == TlsStream::Side::client) return {phase, from_client, from_server};
  return {phase, from_server, from_client};
}

}  // namespace anabranch::control
