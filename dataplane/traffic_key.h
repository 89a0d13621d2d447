// SPDX-License-Identifier: BSD-3-Clause
// One direction's key of one key phase, ready for use: AEAD by intel-ipsec-mb, called directly.
//
// Immutable; made and freed by control, used by workers. Each lies on pages of its own that are not
// swapped, not in core dumps, and not there at all in a forked child, which therefore cannot seal a
// number twice. Wiped when freed.
#pragma once

// Without the short names of its past, which are also OpenSSL functions.
#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/cipher.h"
#include "dataplane/wire.h"

namespace anabranch::dataplane {

inline constexpr size_t kNonce = 12;
using Nonce = std::array<uint8_t, kNonce>;

class TrafficKey {
 public:
  // `key` has key_length(cipher) octets. Aborts when memory for secrets cannot be had.
  TrafficKey(Cipher cipher, std::span<const uint8_t> key, const Nonce& iv);
  ~TrafficKey();
  TrafficKey(const TrafficKey&) = delete;
  TrafficKey& operator=(const TrafficKey&) = delete;
  static void* operator new(size_t size);
  static void operator delete(void* pages, size_t size);

  const Nonce& iv() const { return iv_; }
  Cipher cipher() const { return cipher_; }

  // `out` has room for the clear octets and kTag more. `out` may not overlap `clear`, unless it is
  // the same.
  void seal(uint8_t* out, std::span<const uint8_t> clear, std::span<const uint8_t> authenticated,
            const Nonce& nonce) const;
  // `sealed` ends with the tag; it is opened in place. False when the tag is wrong: what is in
  // place then is worthless.
  bool open(std::span<uint8_t> sealed, std::span<const uint8_t> authenticated,
            const Nonce& nonce) const;

 private:
  alignas(64) gcm_key_data gcm_{};
  aes_gcm_enc_dec_t gcm_seal_ = nullptr, gcm_open_ = nullptr;  // of this CPU and key length
  std::array<uint8_t, 32> chacha_{};
  Nonce iv_;
  Cipher cipher_;
};

}  // namespace anabranch::dataplane
