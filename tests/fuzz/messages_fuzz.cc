// SPDX-License-Identifier: BSD-3-Clause
// Any text as a message of the control session: refused, or understood the same way twice.
#include <cstdlib>

#include "control/messages.h"

using namespace anabranch::control;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > kMessageMax) return -1;
  const auto message = decode({reinterpret_cast<const char*>(data), size});
  if (!message) return 0;
  const std::string text = encode(*message);
  const auto again = decode(text);
  if (!again || encode(*again) != text) std::abort();
  return 0;
}
