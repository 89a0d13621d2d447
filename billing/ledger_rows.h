// SPDX-License-Identifier: BSD-3-Clause
// What the ledger's files share.
#pragma once

#include <string>
#include <vector>

#include "billing/ledger_closing.h"
#include "billing/store.h"

namespace anabranch::billing {

std::string sentence(const StoreError& error);

// A meter's advance. The rules of the table refuse one that does not begin where the last one
// ended.
inline constexpr Insert kIntoMeters{
    "INSERT INTO meters(gateway, region, service, worker, path, direction, kind, octets_from, "
    "packets_from, octets, packets)",
    "ON CONFLICT(gateway, region, service, worker, path, direction, kind) DO UPDATE SET "
    "octets_from = excluded.octets_from, packets_from = excluded.packets_from, octets = "
    "excluded.octets, packets = excluded.packets"};
std::vector<Value> row_of(const Watermark& watermark);
inline constexpr const char* kSelectMeters =
    "SELECT gateway, region, service, worker, path, direction, kind, octets_from, packets_from, "
    "octets, packets FROM meters ";
Watermark watermark_of(const Row& row);

}  // namespace anabranch::billing
