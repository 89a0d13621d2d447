// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/cut.h"

#include <algorithm>

#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

// What has to be won, for a fragment costs its headers and may be lost as well as a packet.
constexpr double kWorthNs = 5e6;
constexpr double kWorthShare = 0.2;

double ns_an_octet(const Offer& offer) {
  return static_cast<double>(offer.pace) / 65536;
}
// When a fragment without an octet in it would be there.
double ready_ns(const Offer& offer) {
  return static_cast<double>(offer.delay_ns) + offer.extra_octets * ns_an_octet(offer);
}

}  // namespace

Cuts cut_to_fit(uint8_t path, uint16_t octets, uint16_t room) {
  const int count = (octets + room - 1) / room;
  if (count > kFragmentsMax) return {};
  Cuts cuts{.count = static_cast<uint8_t>(count)};
  for (int i = 0; i < count; ++i) {
    const int from = octets * i / count, to = octets * (i + 1) / count;
    cuts.fragments[static_cast<size_t>(i)] = {path, static_cast<uint16_t>(to - from)};
  }
  return cuts;
}

// Paths are filled as basins are with water: the one that is ready first is alone until the next is
// ready, and so on, until all octets are in.
Cuts cut_to_hurry(std::span<Offer> offers, uint16_t octets) {
  std::sort(offers.begin(), offers.end(),
            [](const Offer& a, const Offer& b) { return ready_ns(a) < ready_ns(b); });
  offers = offers.first(std::min<size_t>(offers.size(), kFragmentsMax));
  double rates = 0, level = 0, done_ns = 0, alone_ns = 1e300;
  size_t used = 0;
  for (const Offer& offer : offers) {
    const double ns = ns_an_octet(offer);
    alone_ns = std::min(alone_ns, ready_ns(offer) + octets * ns);
    if (used != 0 && done_ns <= ready_ns(offer)) continue;
    rates += 1 / ns;
    level += ready_ns(offer) / ns;
    done_ns = (octets + level) / rates;
    ++used;
  }
  if (used < 2) return {};
  const double wins_ns = alone_ns - done_ns;
  const double takes_ns = alone_ns - static_cast<double>(offers.front().delay_ns);
  if (wins_ns < std::max(kWorthNs, kWorthShare * takes_ns)) return {};
  Cuts cuts;
  uint16_t left = octets;
  for (const Offer& offer : offers.first(used)) {
    const auto share = static_cast<uint16_t>((done_ns - ready_ns(offer)) / ns_an_octet(offer));
    const uint16_t part = cuts.count + 1u == used ? left : std::min(share, left);
    if (part > offer.room) return {};
    if (part == 0) continue;
    cuts.fragments[cuts.count++] = {offer.path, part};
    left = static_cast<uint16_t>(left - part);
  }
  return left == 0 && cuts.count > 1 ? cuts : Cuts{};
}

namespace {

// The fragments of what `clear` holds, itself a packet or a fragment, each in a buffer of its own.
bool copy_fragments(Context& context, rte_mbuf* clear, std::span<const Fragment> fragments,
                    std::array<rte_mbuf*, kFragmentsMax>& copies) {
  const auto count = static_cast<unsigned>(fragments.size());
  if (rte_pktmbuf_alloc_bulk(context.options.pool, copies.data(), count) != 0) return false;
  Inner inner;
  load_inner(contents(clear), inner);
  const uint8_t* from = octets(clear) + inner.length();
  const bool is_last = !inner.has(kInnerMore);
  inner.flags |= kInnerFragment;
  for (unsigned i = 0; i < count; ++i) {
    const uint16_t length = fragments[i].octets;
    const bool more = !is_last || i + 1 < count;
    inner.flags = static_cast<uint8_t>(more ? inner.flags | kInnerMore : inner.flags & ~kInnerMore);
    auto* out = reinterpret_cast<uint8_t*>(
        rte_pktmbuf_append(copies[i], static_cast<uint16_t>(kFragmentHeader + length)));
    store_inner(out, inner);
    std::memcpy(out + kFragmentHeader, from, length);
    from += length;
    inner.offset = static_cast<uint16_t>(inner.offset + length);
  }
  return true;
}

}  // namespace

bool transmit_cut(Context& context, const Segment& segment, const Cuts& cuts, Kind kind, bool keep,
                  const FlowName* flow) {
  std::array<rte_mbuf*, kFragmentsMax> copies;
  if (cuts.count == 0 || !copy_fragments(context, segment.clear, cuts.all(), copies)) return false;
  std::optional<FlowName> own;
  if (context.accounts != nullptr && flow == nullptr && (own = name_flow(segment))) flow = &*own;
  Segment fragment = segment;
  for (uint8_t i = 0; i < cuts.count; ++i) {
    fragment.clear = copies[i];
    if (transmit(context, fragment, cuts.fragments[i].path, kind, keep, flow)) {
      context.counters.made.add(i == 0 ? 0 : 1);
    } else if (i == 0) {
      rte_pktmbuf_free_bulk(copies.data(), cuts.count);
      return false;
    } else {
      retry_later(context, fragment, keep);
    }
  }
  rte_pktmbuf_free(segment.clear);
  return true;
}

}  // namespace anabranch::dataplane
