// SPDX-License-Identifier: BSD-3-Clause
#include "billing/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cstdlib>

namespace anabranch::billing {

std::string hexadecimal(std::span<const uint8_t> octets) {
  std::string text;
  for (const uint8_t octet : octets) text += fmt::format("{:02x}", octet);
  return text;
}

std::string sha256(std::string_view text) {
  std::array<uint8_t, 32> hash{};
  if (EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha256(), nullptr) != 1)
    std::abort();
  return hexadecimal(hash);
}

}  // namespace anabranch::billing
