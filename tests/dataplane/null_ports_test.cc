// SPDX-License-Identifier: BSD-3-Clause
// Ports that give whatever happens to be in memory: nothing may crash, and every packet must end in
// a counted place.
#include <random>

#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

// What a null port gives is what the last user of a buffer left there.
void fill_buffers(const Gateway& gateway, std::mt19937& random) {
  std::vector<rte_mbuf*> buffers;
  while (rte_mbuf* buffer = rte_pktmbuf_alloc(packet_pool())) {
    Bytes frame = datagram(random(), 200)
                      .ttl(static_cast<uint8_t>(random() % 3))
                      .frame(gateway.lan_mac, gateway.host_mac);
    for (uint32_t i = random() % 4; i > 0; --i) {
      frame[random() % frame.size()] = static_cast<uint8_t>(random());
    }
    if (random() % 4 == 0) {
      for (uint8_t& octet : frame) octet = static_cast<uint8_t>(random());
    }
    auto* octets = rte_pktmbuf_append(buffer, static_cast<uint16_t>(frame.size()));
    std::copy(frame.begin(), frame.end(), octets);
    buffers.push_back(buffer);
  }
  for (rte_mbuf* buffer : buffers) rte_pktmbuf_free(buffer);
}

TEST(NullPorts, GiveGarbageThatEndsInCountedPlaces) {
  const unsigned before = rte_mempool_avail_count(packet_pool());
  {
    Gateway gateway(1, packet_pool(), 64);
    gateway.admit(kService, kShares);
    gateway.classify_all(kService);
    std::vector<Port> ports;
    for (const char* device :
         {"net_null0,size=242", "net_null1,size=64", "net_null2,size=242", "net_null3,size=1500"}) {
      ports.push_back(open_port({"", device}, packet_pool()).value());
    }
    WorkerOptions options = gateway.options;
    options.id = 1;
    options.lan_port = ports[0].id;
    for (uint8_t u = 0; u < kPaths; ++u) options.uplink_port[u] = ports[u + 1u].id;
    {
      auto worker =
          Worker::create(options, gateway.plans, gateway.meters.region().workers[0]).value();
      std::mt19937 random(6);
      const Counters& c = worker->counters();
      for (uint64_t n = 0; n < 2000; ++n) {
        if (n % 200 == 0) fill_buffers(gateway, random);
        EXPECT_EQ(worker->poll(10 * kSecond + n * kMillisecond), 4u * kBurst);
        ASSERT_EQ(c.rx.get() + c.made.get(),
                  c.tx.get() + c.held.get() + c.absorbed.get() + c.to_kernel.get() + c.dropped());
      }
      EXPECT_EQ(c.rx.get(), 2000u * 4 * kBurst);
      for (const Drop drop : {Drop::bad_checksum, Drop::ttl_exceeded, Drop::path_down}) {
        EXPECT_GT(c.drops[static_cast<size_t>(drop)].get(), 0u)
            << kDropNames[static_cast<size_t>(drop)];
      }
    }
    for (const Port& port : ports) close_port(port);
  }
  EXPECT_EQ(rte_mempool_avail_count(packet_pool()), before);
}

}  // namespace
}  // namespace anabranch::dataplane
