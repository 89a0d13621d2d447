// SPDX-License-Identifier: BSD-3-Clause
// What arrives on an uplink and is no segment of ours: it changes nothing but a counter and, since
// the provider charges for it, the account of the house.
#include <functional>

#include "dataplane/bytes.h"
#include "dataplane/seal.h"
#include "tests/dataplane/test_keys.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

constexpr size_t kOuter = kEthernetHeader + kOuterIp;  // where the outer header starts

void fix_header(Bytes& frame) {
  const auto length = static_cast<uint16_t>(frame.size() - kEthernetHeader);
  uint8_t* ip = &frame[kEthernetHeader];
  store_be16(ip + 2, length);
  store_be16(ip + 24, static_cast<uint16_t>(length - 20));
  store_be16(ip + 10, 0);
  store_be16(ip + 10, internet_checksum({ip, 20}));
}

class Refused : public TwoGateways {
 protected:
  // All the meters of received octets but for those of refused ones.
  uint64_t accepted_octets() {
    uint64_t sum = 0;
    for (uint8_t path = 1; path <= kPaths; ++path) {
      sum += b().metered(path_place(path), Direction::received) - refused(path_place(path));
    }
    return sum;
  }
  uint64_t refused(Place place) {
    return b().meter(kHouseSlot, place, Direction::received, Kind::refused).octets.get();
  }
  // A genuine segment of path 1 that has not arrived yet.
  Bytes genuine() {
    repair_nothing();
    admit_both(only(1));
    there(1).steal_next();
    send_datagrams(0, 1);
    run_for(100 * kMillisecond);
    return there(1).stolen();
  }
  void expect_refused(const Bytes& frame, Drop drop, Place place, const char* what) {
    SCOPED_TRACE(what);
    const uint64_t accepted = accepted_octets(), refused_before = refused(place);
    const uint64_t dropped = counters(b()).dropped(), named = b().drops(drop);
    const uint64_t sent = counters(b()).tx.get(), held = counters(b()).held.get();
    there(1).inject(frame);
    while (b().worker->poll(now) != 0) continue;
    EXPECT_EQ(b().drops(drop), named + 1);
    EXPECT_EQ(counters(b()).dropped(), dropped + 1);
    EXPECT_EQ(refused(place), refused_before + frame.size() - kEthernetHeader);
    EXPECT_EQ(accepted_octets(), accepted);
    EXPECT_EQ(counters(b()).tx.get(), sent) << "it got an answer";
    EXPECT_EQ(counters(b()).held.get(), held);
  }
};

TEST_F(Refused, AreForgedTruncatedAndMisdirectedSegments) {
  const Bytes segment = genuine();
  const auto forge = [&](const std::function<void(Bytes&)>& change) {
    Bytes frame = segment;
    change(frame);
    fix_header(frame);
    return frame;
  };
  const auto set = [&](size_t at, uint8_t value) {
    return forge([=](Bytes& frame) { frame[at] = value; });
  };
  const uint64_t received_before = b().worker->telemetry(1).received.get();
  expect_refused(forge([](Bytes& f) { f[kOuter + 60] ^= 1; }), Drop::bad_tag, path_place(1),
                 "content changed");
  expect_refused(forge([](Bytes& f) { f[kOuter + 13] ^= 1; }), Drop::bad_tag, path_place(1),
                 "packet number changed");
  expect_refused(forge([](Bytes& f) { f.back() = 1; }), Drop::bad_tag, path_place(1),
                 "tag changed");
  expect_refused(forge([](Bytes& f) { f.resize(f.size() - 1); }), Drop::bad_tag, path_place(1),
                 "one octet cut off");
  expect_refused(forge([](Bytes& f) { f.resize(kOuter + kOuterHeader + kTag - 1); }),
                 Drop::bad_segment, uplink_place(0), "shorter than its headers");
  expect_refused(forge([](Bytes& f) { f.resize(kOuter); }), Drop::bad_segment, uplink_place(0),
                 "no headers at all");
  expect_refused(set(kOuter, 0x21), Drop::bad_segment, uplink_place(0), "version 2");
  expect_refused(set(kOuter, 0x17), Drop::bad_segment, uplink_place(0), "unknown type");
  expect_refused(set(kOuter + 2, 0), Drop::bad_path, uplink_place(0), "path 0");
  expect_refused(set(kOuter + 2, 2), Drop::bad_path, uplink_place(0), "another uplink's path");
  expect_refused(set(kOuter + 2, 9), Drop::bad_path, uplink_place(0), "path not configured");
  expect_refused(set(kOuter + 2, 200), Drop::bad_path, uplink_place(0), "impossible path");
  expect_refused(set(kOuter + 1, 16), Drop::bad_segment, uplink_place(0), "impossible worker");
  expect_refused(set(kOuter + 3, 2), Drop::unknown_key, path_place(1), "a key phase to come");
  expect_refused(set(kOuter + 3, 17), Drop::unknown_key, path_place(1), "a key phase of its place");
  expect_refused(set(kOuter + 7, 55), Drop::unknown_receiver, path_place(1), "unknown receiver");
  expect_refused(set(kOuter + 4, 0xff), Drop::unknown_receiver, path_place(1), "old session");

  EXPECT_TRUE(b().hosts_received().empty());
  there(1).inject(segment);
  run_for(2 * kMillisecond);
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1)) << "none of them took its number";
  EXPECT_LE(b().worker->telemetry(1).received.get(), received_before + 2)
      << "the genuine one, and at most a beat meanwhile";
}

TEST_F(Refused, AreSegmentsWhoseSealIsRightAndWhoseContentIsNot) {
  Bytes segment = genuine();
  Outer genuine_outer;
  ASSERT_TRUE(load_outer(&segment[kOuter], genuine_outer));
  ASSERT_TRUE(open(*test_key(1, 1), genuine_outer, std::span(segment).subspan(kOuter)));
  uint64_t number = genuine_outer.packet_number + 1000;
  const auto reseal = [&](const std::function<void(Bytes&)>& change) {
    Bytes frame = segment;
    change(frame);
    fix_header(frame);
    Outer outer;
    EXPECT_TRUE(load_outer(&frame[kOuter], outer));
    outer.packet_number = number++;
    const Bytes content(frame.begin() + kOuter + kOuterHeader, frame.end() - kTag);
    seal(*test_key(1, 1), outer, content, &frame[kOuter]);
    return frame;
  };
  expect_refused(reseal([](Bytes& f) { f[kOuter + kOuterHeader] = 0x20; }), Drop::bad_segment,
                 path_place(1), "flags of a later version");
  expect_refused(reseal([](Bytes& f) { f.resize(kOuter + kOuterHeader + kInnerHeader + kTag); }),
                 Drop::bad_segment, path_place(1), "nothing inside");
  expect_refused(reseal([](Bytes& f) { store_be32(&f[kOuter + 4], 9 * kServicesMax); }),
                 Drop::bad_segment, path_place(1), "a client's packet for the house");
  expect_refused(reseal([](Bytes& f) { f[kOuter] = 0x12; }), Drop::bad_segment, path_place(1),
                 "a beat for a service");
  EXPECT_TRUE(b().hosts_received().empty());

  // An inner packet that is none belongs to the service all the same: its peer sealed it.
  there(1).inject(reseal([](Bytes& f) { f[kOuter + kOuterHeader + kInnerHeader] = 0x65; }));
  step();
  EXPECT_EQ(b().drops(Drop::bad_inner), 1u);
}

TEST_F(Refused, IsNothingThatIsTheKernels) {
  const auto at_b = [&](const Bytes& ip) {
    const Bytes frame = frame_of(ip, {2, 1, 0, 0, 2, 1}, {2, 1, 0, 0, 99, 1});
    ASSERT_EQ(rte_ring_enqueue(b().uplinks[0]->in, buffer_of(frame, packet_pool())), 0);
    while (b().worker->poll(now) != 0) continue;
  };
  const char* ours = "198.52.2.1";
  ASSERT_EQ(address(ours), b().address_on(1));
  at_b(packet().from("9.9.9.9").to(ours).tcp(9188, 9188).ip());
  at_b(packet().from("9.9.9.9").to(ours).udp(9188, 53).ip());
  at_b(packet().from("9.9.9.9").to("198.52.2.9").udp(9188, 9188).ip());
  at_b(packet().from("9.9.9.9").to(ours).udp(9188, 9188).payload(99).fragment(0, true).ip());
  at_b(packet().from("9.9.9.9").to(ours).echo_request(1, 1).ip());
  EXPECT_EQ(counters(b()).to_kernel.get(), 5u);

  // An ICMP error about one of our segments, whose checksum reads like our port.
  const Bytes quoted = packet().from(ours).to("198.52.1.1").udp(9188, 9188).ip();
  Bytes error;
  for (uint32_t seed = 0; error.empty() || load_be16(&error[22]) != 9188; ++seed) {
    error = packet().from("9.9.9.9").to(ours).icmp_error(3, 1, quoted).payload(4, seed).ip();
  }
  at_b(error);
  EXPECT_EQ(counters(b()).to_kernel.get(), 6u);
  EXPECT_EQ(counters(b()).dropped(), 0u);
}

}  // namespace
}  // namespace anabranch::dataplane
