// SPDX-License-Identifier: BSD-3-Clause
// A peer that lies: the seal is right, the content anything. The first octet chooses the type, the
// second the service.
#include "tests/fuzz/gateway_on_rings.h"

using namespace anabranch::dataplane;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kChoices = 2, kContentMax = 1440;
  static GatewayOnRings* const gateway = new GatewayOnRings;
  static uint64_t number = 0;
  if (size < kChoices || size > kContentMax) return -1;
  Bytes segment(kOuterHeader + size - kChoices + kTag);
  seal(*test_key(1, 1),
       {.type = static_cast<SegmentType>(1 + data[0] % 4),
        .path = 1,
        .key_phase = 1,
        .receiver_index = 9u * kServicesMax + data[1] % 2u,
        .packet_number = number++},
       {data + kChoices, size - kChoices}, segment.data());
  gateway->receive(segment);
  return 0;
}
