// SPDX-License-Identifier: BSD-3-Clause
// Two gateways that know each other meet over real TCP and TLS, and change keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/session/site.h"

namespace anabranch::control {
namespace {

using dataplane::Cipher;
using testing::HasSubstr;

class Sessions : public testing::Test {
 protected:
  std::unique_ptr<Site> start_a(const Site::Change& change = {}) {
    return std::make_unique<Site>(identities_.files("site-a", "site-b", print_b_),
                                  SessionRole::connect, port_, change);
  }
  std::unique_ptr<Site> start_b(const Site::Change& change = {}) {
    return std::make_unique<Site>(identities_.files("site-b", "site-a", print_a_),
                                  SessionRole::listen, port_, change);
  }
  // What one seals, the other opens.
  static bool belong_together(const PhaseKeys& one, const PhaseKeys& other) {
    const std::vector<uint8_t> clear{1, 2, 3};
    std::vector<uint8_t> sealed(clear.size() + dataplane::kTag);
    one.send->seal(sealed.data(), clear, {}, one.send->iv());
    return one.phase == other.phase && other.receive->open(sealed, {}, other.receive->iv());
  }

  Identities identities_;
  const std::string print_a_ = identities_.make("site-a"), print_b_ = identities_.make("site-b");
  const uint16_t port_ = free_port();
};

TEST_F(Sessions, OfGatewaysThatKnowEachOtherGiveBothTheSameKeys) {
  const auto b = start_b(), a = start_a();
  ASSERT_TRUE(a->is_up());
  ASSERT_TRUE(b->is_up());
  EXPECT_TRUE(belong_together(a->keys(0), b->keys(0)));
  EXPECT_TRUE(belong_together(b->keys(0), a->keys(0)));
  EXPECT_FALSE(belong_together(a->keys(0), a->keys(0))) << "each direction has its own";
  EXPECT_EQ(a->keys(0).send->cipher(), Cipher::aes_128_gcm);
}

TEST_F(Sessions, CarryMessagesBothWays) {
  const auto b = start_b(), a = start_a();
  ASSERT_TRUE(a->is_up());
  ASSERT_TRUE(b->is_up());
  const Refuse long_one{7, std::string(200, 'x')};
  for (int i = 0; i < 300; ++i) a->send(long_one);
  a->send(End{9});
  EXPECT_TRUE(b->heard(End{9}));
  b->send(Gone{8});
  EXPECT_TRUE(a->heard(Gone{8}));
}

TEST_F(Sessions, AgreeOnTheFirstCipherOfTheConnectingSideThatBothAllow) {
  const auto b = start_b([](PeerConfig&, Hello& hello) {
    hello.ciphers = {Cipher::aes_256_gcm, Cipher::chacha20_poly1305};
  });
  const auto a = start_a([](PeerConfig&, Hello& hello) {
    hello.ciphers = {Cipher::aes_128_gcm, Cipher::chacha20_poly1305, Cipher::aes_256_gcm};
  });
  ASSERT_TRUE(a->is_up());
  ASSERT_TRUE(b->is_up());
  EXPECT_EQ(a->keys(0).send->cipher(), Cipher::chacha20_poly1305);
  EXPECT_TRUE(belong_together(a->keys(0), b->keys(0)));
}

TEST_F(Sessions, WithoutACommonCipherAreRefused) {
  const auto b = start_b([](PeerConfig&, Hello& hello) { hello.ciphers = {Cipher::aes_256_gcm}; });
  const auto a = start_a([](PeerConfig&, Hello& hello) { hello.ciphers = {Cipher::aes_128_gcm}; });
  EXPECT_THAT(b->refusal(), HasSubstr("peer.ciphers of the two gateways have none in common"));
  EXPECT_EQ(a->ups(), 0u);
}

TEST_F(Sessions, ChangeKeysInTimeAndStayUp) {
  const auto each_second = [](PeerConfig& peer, Hello&) { peer.rekey_s = 1; };
  const auto b = start_b(each_second), a = start_a(each_second);
  ASSERT_TRUE(a->is_up(4));
  ASSERT_TRUE(b->is_up(4));
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(a->keys(i).phase, i + 1);
    EXPECT_TRUE(belong_together(a->keys(i), b->keys(i)));
    EXPECT_FALSE(i > 0 && a->keys(i).send->iv() == a->keys(i - 1).send->iv());
  }
  EXPECT_EQ(a->downs() + b->downs(), 0u);
}

TEST_F(Sessions, ChangeKeysWhenEitherSideAsks) {
  const auto b = start_b(), a = start_a();
  ASSERT_TRUE(a->is_up());
  ASSERT_TRUE(b->is_up());
  b->change_keys();
  ASSERT_TRUE(a->is_up(2));
  ASSERT_TRUE(b->is_up(2));
  a->change_keys();
  ASSERT_TRUE(a->is_up(3));
  EXPECT_TRUE(b->is_up(3));
  a->send(End{9});
  EXPECT_TRUE(b->heard(End{9}));
}

TEST_F(Sessions, ComeBackByThemselves) {
  const auto a = start_a();
  for (int times = 1; times <= 3; ++times) {
    const auto b = start_b();
    EXPECT_TRUE(b->is_up());
    EXPECT_TRUE(a->is_up(static_cast<size_t>(times)));
  }
  EXPECT_THAT(a->refusal(), HasSubstr("control session lost: the peer closed the connection"));
}

}  // namespace
}  // namespace anabranch::control
