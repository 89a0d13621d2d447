// SPDX-License-Identifier: BSD-3-Clause
// Closing, whatever fails and in whatever order usage comes.
#include <random>

#include "tests/billing/closing_fixture.h"
#include "tests/billing/faulty_store.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using Fault = FaultyStore::Fault;

class ClosingFaults : public ClosingTest {};

ANABRANCH_BOTH_STORES(ClosingFaults);

}  // namespace
}  // namespace anabranch::billing
