// SPDX-License-Identifier: BSD-3-Clause
// Keys the tests agree on without a handshake: one for each sending site, key phase and instance.
#pragma once

#include <initializer_list>
#include <memory>

#include "dataplane/keys.h"

namespace anabranch::dataplane {

inline std::shared_ptr<const TrafficKey> test_key(uint8_t sender, uint8_t phase,
                                                  uint64_t instance = 1,
                                                  Cipher cipher = Cipher::aes_128_gcm) {
  std::array<uint8_t, 32> key{sender, phase, static_cast<uint8_t>(instance), 0x5a};
  return std::make_unique<const TrafficKey>(cipher, std::span(key).first(key_length(cipher)),
                                            Nonce{sender, phase, 7});
}

// As `site` (1 or 2) has them: it sends with one phase and receives with several.
inline std::unique_ptr<const KeyTable> test_keys(uint8_t site, uint8_t send_phase,
                                                 std::initializer_list<uint8_t> receive_phases,
                                                 uint64_t instance = 1) {
  auto keys = std::make_unique<KeyTable>();
  keys->peer_instance = instance;
  keys->send = test_key(site, send_phase, instance);
  keys->send_phase = send_phase;
  for (const uint8_t phase : receive_phases) {
    keys->receive[phase % kPhasesMax] = {phase,
                                         test_key(static_cast<uint8_t>(3 - site), phase, instance)};
  }
  return keys;
}

}  // namespace anabranch::dataplane
