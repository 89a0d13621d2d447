// SPDX-License-Identifier: BSD-3-Clause
#include "control/kernel/neighbours.h"

#include "control/kernel/interface.h"
#include "tests/control/kernel/namespace.h"

namespace anabranch::control {
namespace {

constexpr Ip kNeighbour = Ip::v4(0x0a010102), kNobody = Ip::v4(0x0a010103);

class KernelsNeighbours : public TwoNamespaces {
 protected:
  void SetUp() override {
    auto opened = Neighbours::open();
    ASSERT_TRUE(opened) << opened.error();
    neighbours.emplace(std::move(*opened));
    here = interface_facts("here")->index;
  }
  // Takes in what the kernel tells until `condition` holds.
  bool comes_to(const std::function<bool()>& condition,
                std::chrono::seconds at_most = std::chrono::seconds(10)) {
    const auto end = std::chrono::steady_clock::now() + at_most;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      neighbours->poll();
    }
    return true;
  }

  // Asks again each second, as control does: the kernel gives up after three questions, and what is
  // asked just after an interface got its address may all be lost.
  bool is_resolved(Ip address) {
    for (int asked = 0; asked < 10; ++asked) {
      neighbours->kick(here, address);
      if (comes_to([&] { return neighbours->lookup(here, address).has_value(); },
                   std::chrono::seconds(1)))
        return true;
    }
    return false;
  }

  std::optional<Neighbours> neighbours;
  int here = 0;
};

TEST_F(KernelsNeighbours, AreResolvedWhenAskedForAndKnownFromThenOn) {
  in_neighbours_namespace("ip link set there address 02:00:00:00:00:09");
  EXPECT_FALSE(neighbours->lookup(here, kNeighbour));
  ASSERT_TRUE(is_resolved(kNeighbour));
  EXPECT_EQ(*neighbours->lookup(here, kNeighbour), (MacAddress{2, 0, 0, 0, 0, 9}));
  EXPECT_FALSE(neighbours->lookup(here + 1, kNeighbour)) << "only on its own link";
  EXPECT_FALSE(neighbours->lookup(here, kNobody));

  // One that starts later finds what the kernel knows already.
  auto later = Neighbours::open();
  ASSERT_TRUE(later);
  EXPECT_TRUE(later->lookup(here, kNeighbour));
}

TEST_F(KernelsNeighbours, OfIpv6AreResolvedToo) {
  const Ip neighbour = *parse_ip("2001:db8::2");
  sh("ip address add 2001:db8::1/64 dev here nodad");
  in_neighbours_namespace(
      "ip link set there address 02:00:00:00:00:0a; ip address add 2001:db8::2/64 dev there nodad");
  ASSERT_TRUE(is_resolved(neighbour));
  EXPECT_EQ(*neighbours->lookup(here, neighbour), (MacAddress{2, 0, 0, 0, 0, 10}));
  EXPECT_FALSE(neighbours->lookup(here, *parse_ip("2001:db8::3")));
  auto later = Neighbours::open();
  ASSERT_TRUE(later);
  EXPECT_TRUE(later->lookup(here, neighbour));
}

TEST_F(KernelsNeighbours, AreForgottenWhenTheKernelForgetsThem) {
  ASSERT_TRUE(is_resolved(kNeighbour));
  sh("ip neighbour flush dev here");
  EXPECT_TRUE(comes_to([&] { return !neighbours->lookup(here, kNeighbour); }));
}

TEST_F(KernelsNeighbours, TellWhetherALinkHasItsCarrier) {
  EXPECT_TRUE(comes_to([&] { return neighbours->carrier(here); }));
  in_neighbours_namespace("ip link set there down");
  EXPECT_TRUE(comes_to([&] { return !neighbours->carrier(here); }));
  in_neighbours_namespace("ip link set there up");
  EXPECT_TRUE(comes_to([&] { return neighbours->carrier(here); }));
}

}  // namespace
}  // namespace anabranch::control
