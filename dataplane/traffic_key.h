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

// Before version 1.4 the library notes in each call that it went well, in one variable for all: a
// cache line that travels between cores with each segment (its issue 112). From here on the calling
// thread uses an instance of its own, where one is to be had: some ten are. Two workers seal 1.4
// times as many small packets as one without it, and 1.9 times with it (bench/scaling_bench).
void use_own_cipher_library();

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
  bool is_gcm() const { return cipher_ == Cipher::aes_128_gcm || cipher_ == Cipher::aes_256_gcm; }

  alignas(64) gcm_key_data gcm_{};
  std::array<uint8_t, 32> chacha_{};
  Nonce iv_;
  Cipher cipher_;
};

}  // namespace anabranch::dataplane
