// SPDX-License-Identifier: BSD-3-Clause
// The ciphers a segment may be sealed with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace anabranch::dataplane {

// In the order in which gateways prefer them. The last hides nothing and proves nothing: it has no
// name, so no gateway can be told to use it; benchmarks do, to see what all the rest costs.
enum class Cipher : uint8_t { aes_128_gcm, aes_256_gcm, chacha20_poly1305, null };
inline constexpr std::array<std::string_view, 3> kCipherNames{"aes-128-gcm", "aes-256-gcm",
                                                              "chacha20-poly1305"};

constexpr size_t key_length(Cipher cipher) {
  return cipher == Cipher::aes_128_gcm ? 16 : 32;
}

constexpr std::optional<Cipher> find_cipher(std::string_view name) {
  for (size_t i = 0; i < kCipherNames.size(); ++i) {
    if (kCipherNames[i] == name) return static_cast<Cipher>(i);
  }
  return std::nullopt;
}

}  // namespace anabranch::dataplane
