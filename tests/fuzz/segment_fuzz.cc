// SPDX-License-Identifier: BSD-3-Clause
// Anything at all in a datagram to the gateway's port: nothing is accepted, nothing is answered.
#include "tests/fuzz/gateway_on_rings.h"

using namespace anabranch::dataplane;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kSizeMax = 1472;
  static GatewayOnRings* const gateway = new GatewayOnRings;
  if (size > kSizeMax) return -1;
  const uint64_t absorbed = gateway->counters().absorbed.get();
  gateway->receive(Bytes(data, data + size));
  if (gateway->delivered() != 0 || gateway->counters().absorbed.get() != absorbed) std::abort();
  return 0;
}
