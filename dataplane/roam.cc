// SPDX-License-Identifier: BSD-3-Clause
// A path follows the peer to another address, as a NAT that forgot or a modem that dialled anew
// gives it: when the newest segment of the path comes from there, a challenge goes there, and its
// response comes back from there (as RFC 9000 8.2 and 9.3 do it). Whoever only forwards the peer's
// segments from an address of his own gets no traffic unless he forwards the challenge too.
// Challenge and response are sealed; what they carry is a number that was not used before.
#include "dataplane/bytes.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kAskAgainNs = 200'000'000;
constexpr uint64_t kPatienceNs = 5'000'000'000;
}  // namespace

// The family stays: our own address, and next hop, are of one.
void consider_roaming(Context& context, uint8_t p, const Path& path, const Endpoint& from) {
  Candidate& candidate = context.candidates[p];
  if (candidate.token != 0 && context.now_ns - candidate.asked_ns < kAskAgainNs) return;
  if (!path.has_header() || is_ipv4(from.address) == path.is_ipv6()) return;
  candidate = {from, ++context.challenges, context.now_ns};
  Path there = path;
  redirect(there, from);
  uint8_t token[kTokenLength];
  store_be64(token, candidate.token);
  send_control(context, p, there, SegmentType::challenge, token);
}

void answer_challenge(Context& context, uint8_t p, const Path& path,
                      std::span<const uint8_t> token) {
  if (path.reachable) send_control(context, p, path, SegmentType::response, token);
}

void receive_response(Context& context, uint8_t p, const Endpoint& from,
                      std::span<const uint8_t> token) {
  const Candidate& asked = context.candidates[p];
  if (asked.token == 0 || load_be64(token.data()) != asked.token || from != asked.from ||
      context.now_ns - asked.asked_ns > kPatienceNs) {
    return;
  }
  context.telemetry[p].remote.set(asked.from);
}

}  // namespace anabranch::dataplane
