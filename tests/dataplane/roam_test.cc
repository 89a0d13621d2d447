// SPDX-License-Identifier: BSD-3-Clause
// A path whose near end moves behind a NAT, and somebody who pretends that it did.
#include "dataplane/bytes.h"
#include "dataplane/parse.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

constexpr uint16_t kPort = 4000;

class Roaming : public TwoGateways {
 protected:
  const uint32_t outside_ = address("203.0.113.9");

  static void rewrite(uint8_t* frame, size_t ip_at, uint32_t ip, size_t port_at, uint16_t port) {
    uint8_t* header = frame + kEthernetHeader;
    store_be32(header + ip_at, ip);
    store_be16(header + port_at, port);
    store_be16(header + 10, 0);
    store_be16(header + 10, internet_checksum({header, 20}));
  }
  void send_from_elsewhere(uint8_t path, uint16_t port = kPort) {
    there(path).translate = [this, port](uint8_t* frame) {
      rewrite(frame, 12, outside_, 20, port);
      return true;
    };
  }
  // What is sent to the outside address reaches gateway a; what is sent to its own does not.
  void let_answers_in(uint8_t path, uint16_t port = kPort) {
    back(path).translate = [this, path, port](uint8_t* frame) {
      const uint8_t* header = frame + kEthernetHeader;
      if (load_be32(header + 16) != outside_ || load_be16(header + 22) != port) return false;
      rewrite(frame, 16, a().address_on(path), 22, 9188);
      return true;
    };
  }
  // What is sent to the outside address goes to whoever is there.
  void keep_answers_out(uint8_t path) {
    back(path).translate = [this, path](uint8_t* frame) {
      return load_be32(frame + kEthernetHeader + 16) == a().address_on(path);
    };
  }
  Endpoint followed(uint8_t path) { return b().worker->telemetry(path).remote.get(); }
  // As control does it when the worker tells of a proved address.
  void follow(uint8_t path) {
    PathTable paths = b().paths();
    redirect(paths.paths[path], followed(path));
    b().plans.publish(std::make_unique<const PathTable>(paths));
  }
};

TEST_F(Roaming, IsFollowedAfterAChallenge) {
  send_from_elsewhere(1);
  let_answers_in(1);
  run_for(500 * kMillisecond);
  ASSERT_EQ(followed(1), (Endpoint{address_of(outside_), kPort}));
  EXPECT_EQ(followed(2), Endpoint{});
  follow(1);
  run_for(500 * kMillisecond);
  EXPECT_EQ(b().worker->telemetry(1).alive.get(), 1u);
  EXPECT_EQ(a().worker->telemetry(1).alive.get(), 1u);
  send_datagrams(0, 100);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(100));
}

TEST_F(Roaming, ToAnotherPortOfTheSameNatIsFollowedToo) {
  send_from_elsewhere(1);
  let_answers_in(1);
  run_for(500 * kMillisecond);
  follow(1);
  send_from_elsewhere(1, kPort + 1);
  let_answers_in(1, kPort + 1);
  run_for(500 * kMillisecond);
  EXPECT_EQ(followed(1), (Endpoint{address_of(outside_), kPort + 1}));
}

TEST_F(Roaming, OfSomebodyWhoOnlyForwardsSegmentsIsNotFollowed) {
  send_from_elsewhere(1);
  keep_answers_out(1);
  run_for(5 * kSecond);
  EXPECT_EQ(followed(1), Endpoint{});
  EXPECT_EQ(b().worker->telemetry(1).alive.get(), 1u) << "what is authentic is heard";
}

TEST_F(Roaming, OfOldSegmentsIsNotFollowed) {
  std::vector<Bytes> seen;
  there(1).recording = &seen;
  there(1).loss = 1;
  run_for(200 * kMillisecond);
  there(1).recording = nullptr;
  there(1).loss = 0;
  run_for(500 * kMillisecond);
  const uint64_t made = counters(b()).made.get();
  const uint64_t absorbed = counters(b()).absorbed.get();
  ASSERT_FALSE(seen.empty());
  for (Bytes& frame : seen) {
    rewrite(frame.data(), 12, outside_, 20, kPort);
    there(1).inject(frame);
  }
  while (b().worker->poll(now) != 0) continue;
  // Beats are told to other workers.
  const uint64_t told = seen.size() * (b().worker->each().size() - 1);
  EXPECT_EQ(counters(b()).absorbed.get(), absorbed + seen.size() + told) << "genuine, though late";
  EXPECT_EQ(counters(b()).made.get(), made + told) << "no challenge";
}

TEST_F(Roaming, AsksAtMostFiveTimesASecond) {
  send_from_elsewhere(1);
  keep_answers_out(1);
  const uint64_t sent = back(1).entered().packets;
  back(2).dead = back(3).dead = true;
  run_for(10 * kSecond);
  const uint64_t beats = 10 * kSecond / kBeatInUseNs;
  EXPECT_LE(back(1).entered().packets - sent, beats + 51);
  EXPECT_GE(back(1).entered().packets - sent, beats + 40);
}

TEST_F(Roaming, FindsAPeerWhoseAddressIsNotConfigured) {
  PathTable paths = b().paths();
  redirect(paths.paths[1], {});
  paths.paths[1].reachable = false;
  b().plans.publish(std::make_unique<const PathTable>(paths));
  run_for(2 * kSecond);
  ASSERT_EQ(followed(1), (Endpoint{address_of(a().address_on(1)), 9188}));
  follow(1);
  run_for(kSecond);
  EXPECT_EQ(a().worker->telemetry(1).alive.get(), 1u);
}

}  // namespace
}  // namespace anabranch::dataplane
