// SPDX-License-Identifier: BSD-3-Clause
// The stages of a worker, in packet order. Each takes ownership of the packets it is given; each
// packet ends in a transmit queue, in a lane, or in a named drop.
#pragma once

#include "dataplane/context.h"
#include "dataplane/cut.h"

namespace anabranch::dataplane {

// rx.cc: takes a burst from a port; returns how many packets it was.
uint16_t rx_lan(Context& context, uint64_t now);
uint16_t rx_uplink(Context& context, uint8_t uplink, uint64_t now);
// … what came from one, whoever took it; at most kBurst.
void receive_from_lan(Context& context, std::span<rte_mbuf*> burst, uint64_t now);
void receive_from_uplink(Context& context, rte_mbuf* packet, uint8_t uplink, uint64_t now);
// … what another worker should have had; a provider charges for it all the same.
void refuse_from_uplink(Context& context, rte_mbuf* packet, uint8_t uplink);

// handover.cc: gives other workers what is theirs of a burst; returns how many are our own, which
// are the first then.
uint16_t hand_over_lan(Context& context, std::span<rte_mbuf*> burst);
uint16_t hand_over_uplink(Context& context, uint8_t uplink, std::span<rte_mbuf*> burst);
// … what others took for us; returns how many.
uint32_t take_over_lan(Context& context, uint64_t now);
uint32_t take_over_uplink(Context& context, uint64_t now);
// … frames for a port that another worker attends; all that others have for those we do.
void hand_over_frames(Context& context, TxQueue& queue);
uint32_t take_over_frames(Context& context);
// … what workers tell each other of a path. Best effort, as all that comes over a network.
enum class News : uint8_t { none, beat, acks, capacity };
void tell(Context& context, uint8_t worker, News news, uint8_t path,
          std::span<const uint8_t> content);
void tell_all(Context& context, News news, uint8_t path, std::span<const uint8_t> content);

// segment.cc: IP packets of the LAN side, from the IP header on, become segments of their
// service on the paths of its plan. `views[i]` is of `packets[i]`. At most kBurst.
void segment_burst(Context& context, std::span<rte_mbuf* const> packets,
                   std::span<const PacketView> views, uint64_t now);

// frame.cc: a frame for path `p` that carries `content`, sealed; nullptr when there is no buffer.
// Takes the path's next packet number. Only when may_seal().
bool may_seal(Context& context, Drop& why);
rte_mbuf* make_frame(Context& context, uint8_t p, const Path& path, SegmentType type,
                     uint32_t receiver_index, std::span<const uint8_t> content);

// … the same for the peer's house, put on its way; best effort: without a session, a key or a
// buffer it is not sent.
void send_control(Context& context, uint8_t p, const Path& path, SegmentType type,
                  std::span<const uint8_t> content);
// What path `p` is given, as pace_of() has it; 0: as much as there is.
uint64_t pace_on(const Context& context, uint8_t p);
// Octets of a segment's content, its inner header with it, that path `p` carries.
uint16_t room_on(const Context& context, uint8_t p);
// … a segment, cut into fragments when it does not fit the path. Its packet is kept until it is
// acknowledged, or else freed. False when there is no buffer: then the packet stays the caller's.
// `flow`: of the packet that the segment is a fragment of, when that is known.
bool transmit(Context& context, const Segment& segment, uint8_t p, Kind kind, bool keep,
              const FlowName* flow = nullptr);
// cut.cc: the same as fragments.
bool transmit_cut(Context& context, const Segment& segment, const Cuts& cuts, Kind kind, bool keep,
                  const FlowName* flow = nullptr);

// account.cc, all of it only where flows are accounted: the flow of a segment, if it is a whole
// packet; where it is counted on path `p` when its frame has been accepted.
std::optional<FlowName> name_flow(const Segment& segment);
FlowAccounts::Ref find_account(Context& context, const Segment& segment, uint8_t p, Kind kind,
                               const FlowName* flow);
// … frames that a port has accepted; those that another worker's port has: returns how many.
void account_sent(Context& context, std::span<const TxQueue::Booking> bookings);
uint32_t account_notes(Context& context);
// … what was opened: a packet or a fragment of one.
void account_received(Context& context, uint16_t slot, Place place, Kind kind,
                      std::span<const uint8_t> packet, bool is_fragment, uint16_t outer);

// recover.cc: keeps the packet of the number that was sent last on path `p`.
void retain(Context& context, uint8_t p, const Segment& segment);
// A fragment could not be sent with the others of its packet.
void retry_later(Context& context, Segment& fragment, bool keep);
// The place of a number in flight is needed for another.
void forget_number(Context& context, Flight& flight, uint64_t number);
// Acknowledgements from the peer; false when they are not in order.
bool receive_acks(Context& context, std::span<const uint8_t> content);
// Another worker's paths were reported on.
void receive_capacity_news(Context& context, uint8_t p, std::span<const uint8_t> content);
// What time does to what is under way on a path.
void keep_flight(Context& context, uint8_t p, bool alive);
void send_repairs(Context& context);
// All that is under way belongs to a session that is over.
void forget_flights(Context& context);

// acknowledge.cc: a number arrived; what is owed is sent when it is due.
void owe_ack(Context& context, uint8_t worker, uint8_t p, bool newest);
void send_acks(Context& context);

// segment.cc: what waited and may be sent now.
void send_waiting(Context& context);

// disperse.cc: the path for a client's packet of `length` octets. `even`: it shall arrive after the
// same delay whatever path it takes, so that all may be used; else the earliest alone counts.
struct Choice {
  enum class What : uint8_t { path, wait, none } what = What::none;
  uint8_t path = 0;
};
Choice choose_path(Context& context, const Plan& plan, ServiceState& service, uint8_t bucket,
                   uint16_t length, bool even);
// … why there is none.
Drop reason_for_no_path(const Context& context, const Plan& plan);
// Where a copy goes of what is sent on `path`: another provider's first; 0: nowhere.
uint8_t path_for_copy(const Context& context, const Plan& plan, uint8_t path);
// The fragments as which a packet of `length` octets, that nothing waits before, is there sooner.
Cuts choose_cuts(const Context& context, const Plan& plan, uint16_t length);

// Which paths can be sent on; at each poll, and when that may have changed.
void find_sound_paths(Context& context);
// … of the paths in `mask`, the one that delivers first, for what is no client's: one whose quota
// is used up when there is no other; 0 when none is alive.
uint8_t earliest_path(const Context& context, uint16_t mask);
// … the fastest of those that can send now.
Choice choose_free_path(const Context& context, uint16_t mask);

// open.cc: one frame of an uplink that is addressed to our UDP port, from the outer IPv4 header on.
void open_segment(Context& context, rte_mbuf* packet, uint8_t uplink, const PacketView& outer,
                  uint64_t now);

// … what came to our UDP port and is not opened.
void refuse(Context& context, rte_mbuf* packet, Place place, uint16_t octet_count, Drop reason);

// equalise.cc: holds back what came over a faster path than others use; releases what is due.
// By how much paths are faster is found now and then.
void find_head_starts(Context& context);
void equalise(Context& context, const Arrived& arrived, uint8_t path, uint64_t now);
void release_equalised(Context& context, uint64_t now);

// reassemble.cc: a fragment; true when it made its packet whole, which then takes its place in
// `arrived`.
bool reassemble(Context& context, Arrived& arrived, const Plan& plan, uint64_t now);
// A packet of which no fragment will come any more.
void forget_fragments(Context& context, uint32_t receiver_index, uint8_t lane, uint32_t sn);
void expire_fragments(Context& context, uint64_t now);
void free_fragments(Context& context);

// assemble.cc: a client's packet with its place in its lane; holes whose time is over.
void assemble(Context& context, const Arrived& arrived, uint64_t now);
void expire_holes(Context& context, uint64_t now);
// The peer will not send it.
void skip_segment(Context& context, uint32_t receiver_index, uint8_t lane, uint32_t sn,
                  uint64_t now);
// How long something missing of a lane is waited for, in ticks.
uint64_t hole_wait(const Context& context, const Plan& plan);
// Whether the number has not come out of its lane, nor waits in it, as far as is known.
bool is_wanted(Context& context, uint32_t receiver_index, uint8_t lane, uint32_t sn);
// The slot a receiver index stands for, and its plan; nullptr when it stands for nothing.
const Plan* find_receiver(const Context& context, uint32_t receiver_index, uint16_t& slot);

// deliver.cc: a client's packet that goes out on the LAN; those that waited for their next hop.
void deliver(Context& context, rte_mbuf* packet, uint64_t now);
void deliver_resolved(Context& context, uint64_t now);

// icmp.cc, icmp6.cc: answers `packet` (from its IP header on, not consumed) with an ICMP error,
// when RFC 1812 4.3.2, or RFC 4443 2.4, allows it. `to_lan`: the packet came from the LAN.
enum class IcmpError : uint8_t { time_exceeded, too_big, prohibited };
void answer_icmp(Context& context, rte_mbuf* packet, const PacketView& view, IcmpError error,
                 uint16_t mtu, bool to_lan, uint64_t now);
// … its parts: whether it may be answered at all; the error, to be sent; nullptr when there is no
// buffer.
bool may_answer_icmp6(const PathTable& paths, const uint8_t* ip, const PacketView& view);
rte_mbuf* make_icmp6(Context& context, const uint8_t* about, const PacketView& view,
                     IcmpError error, uint16_t mtu);

// share.cc: what this worker is to have of paths that packets wait for at several.
void update_share(Context& context);

// keep_limits.cc: what is left of paths' quotas is another now; a path's is used up.
void take_over_limits(Context& context, const LimitTable& limits);
void leave_path(Context& context, uint8_t p);

// keep_paths.cc: beats that are due or arrived, paths that died, how long holes may wait.
void keep_paths(Context& context);
void receive_beat(Context& context, uint8_t path, std::span<const uint8_t> payload);

// roam.cc: an authentic segment came from elsewhere; a challenge came; a response came.
void consider_roaming(Context& context, uint8_t p, const Path& path, const Endpoint& from);
void answer_challenge(Context& context, uint8_t p, const Path& path,
                      std::span<const uint8_t> token);
void receive_response(Context& context, uint8_t p, const Endpoint& from,
                      std::span<const uint8_t> token);
inline constexpr size_t kTokenLength = 8;

// tx.cc: a frame for a port; flushes the queue when it is full.
void flush(Context& context, TxQueue& queue);
inline void enqueue(Context& context, TxQueue& queue, rte_mbuf* frame,
                    const TxQueue::Booking& booking) {
  if (queue.count == TxQueue::kSize) flush(context, queue);
  queue.packets[queue.count] = frame;
  queue.bookings[queue.count] = booking;
  ++queue.count;
}
void flush_all(Context& context);

}  // namespace anabranch::dataplane
