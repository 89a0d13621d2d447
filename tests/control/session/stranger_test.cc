// SPDX-License-Identifier: BSD-3-Clause
// Who is not the peer does not get in, is told nothing, and keeps nobody out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/control/session/site.h"

namespace anabranch::control {
namespace {

using testing::HasSubstr;

class Strangers : public testing::Test {
 protected:
  ~Strangers() override {
    for (const int fd : sockets_) close(fd);
  }
  std::unique_ptr<Site> start_a(const IdentityFiles& files, const Site::Change& change = {}) {
    return std::make_unique<Site>(files, SessionRole::connect, port_, change);
  }
  std::unique_ptr<Site> start_b() {
    return std::make_unique<Site>(identities_.files("site-b", "site-a", print_a_),
                                  SessionRole::listen, port_);
  }
  std::unique_ptr<Site> start_true_a() {
    return start_a(identities_.files("site-a", "site-b", print_b_));
  }
  int connect_from(const char* address) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in from{}, to{};
    from.sin_family = to.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(parse_ipv4(address)->ipv4());
    to.sin_addr.s_addr = htonl(parse_ipv4("127.0.0.2")->ipv4());
    to.sin_port = htons(port_);
    EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    sockets_.push_back(fd);
    return fd;
  }
  // The other end hangs up.
  static bool is_closed(int fd) {
    char octet;
    ssize_t n;
    while ((n = recv(fd, &octet, 1, 0)) > 0) continue;
    return n == 0 || errno == ECONNRESET;
  }

  Identities identities_;
  const std::string print_a_ = identities_.make("site-a"), print_b_ = identities_.make("site-b");
  const uint16_t port_ = free_port();
  std::vector<int> sockets_;
};

// The peer's certificate and key, but a mind of its own.
class Impostor {
 public:
  Impostor(const Identity& identity, int fd, int version = TLS1_3_VERSION)
      : ssl_(SSL_new(identity.context())) {
    SSL_set_min_proto_version(ssl_, version);
    SSL_set_max_proto_version(ssl_, version);
    // The certificate of the other side does not matter to it.
    const auto believe = [](X509_STORE_CTX*, void*) { return 1; };
    SSL_CTX_set_cert_verify_callback(identity.context(), believe, nullptr);
    SSL_set_fd(ssl_, fd);
  }
  ~Impostor() { SSL_free(ssl_); }
  Impostor(const Impostor&) = delete;
  Impostor& operator=(const Impostor&) = delete;
  bool connect() { return SSL_connect(ssl_) == 1; }
  void say(const std::string& octets) {
    EXPECT_EQ(SSL_write(ssl_, octets.data(), static_cast<int>(octets.size())),
              static_cast<int>(octets.size()));
  }
  static std::string framed(const std::string& text) {
    std::string octets;
    for (int shift = 24; shift >= 0; shift -= 8)
      octets.push_back(static_cast<char>(text.size() >> shift));
    return octets + text;
  }

 private:
  SSL* ssl_;
};

TEST_F(Strangers, WithAnotherCertificateAreRefused) {
  const auto b = start_b();
  identities_.make("mallory");
  const auto a = start_a(identities_.files("mallory", "site-b", print_b_));
  EXPECT_THAT(b->refusal(),
              HasSubstr("control session with 127.0.0.1 not established: the certificate shown, of "
                        "\"mallory\", has the fingerprint sha256:"));
  // The alert says it, unless the reset overtakes it.
  EXPECT_THAT(a->refusal(),
              testing::AllOf(testing::AnyOf(HasSubstr("the peer refused this gateway"),
                                            HasSubstr("reset by peer")),
                             HasSubstr("the log of site-b may say more")));
  EXPECT_EQ(a->ups(), 0u);
  EXPECT_EQ(b->ups(), 0u);
}

TEST_F(Strangers, WhoListenInThePeersPlaceAreRefusedToo) {
  const auto b = start_b();
  const auto a = start_a(identities_.files("site-a", "site-b", print_a_));
  EXPECT_THAT(a->refusal(),
              HasSubstr("has the fingerprint " + print_b_ + ", which is not peer.fingerprint"));
  EXPECT_EQ(b->ups(), 0u);
}

TEST_F(Strangers, WithAnExpiredCertificateAreRefused) {
  const std::string expired = identities_.make("site-x", -1);
  const Site b(identities_.files("site-b", "site-x", expired), SessionRole::listen, port_);
  const auto a = start_a(identities_.files("site-x", "site-b", print_b_));
  EXPECT_THAT(const_cast<Site&>(b).refusal(), HasSubstr("of \"site-x\", expired on 20"));
}

TEST_F(Strangers, OfAnotherCaAreRefusedAndThoseOfOursAreNot) {
  identities_.make_signed("site-c", "our-ca");
  identities_.make_signed("site-d", "their-ca");
  IdentityFiles trust = identities_.files("site-b", "site-d", "");
  trust.ca = identities_.ca("our-ca");
  {
    Site b(trust, SessionRole::listen, port_);
    const auto d = start_a(identities_.files("site-d", "site-b", print_b_));
    EXPECT_THAT(b.refusal(), HasSubstr("of \"site-d\", is not vouched for by peer.ca: "));
  }
  {
    Site b(trust, SessionRole::listen, port_);
    const auto c = start_a(identities_.files("site-c", "site-b", print_b_));
    EXPECT_THAT(b.refusal(), HasSubstr("of \"site-c\", is not for \"site-d\" (peer.name)"));
  }
  trust.peer_name = "site-c";
  Site b(trust, SessionRole::listen, port_);
  const auto c = start_a(identities_.files("site-c", "site-b", print_b_),
                         [](PeerConfig&, Hello& hello) { hello.gateway = "site-c"; });
  EXPECT_TRUE(b.is_up());
}

TEST_F(Strangers, WithoutTlsAreRefused) {
  const auto b = start_b();
  const int fd = connect_from("127.0.0.9");
  ASSERT_EQ(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
  EXPECT_THAT(b->refusal(), HasSubstr("control session with 127.0.0.9 not established: TLS: "));
  EXPECT_TRUE(is_closed(fd));
}

TEST_F(Strangers, WithTls12AreRefused) {
  const auto b = start_b();
  const auto identity = Identity::open(identities_.files("site-a", "site-b", print_b_));
  SSL_CTX_set_min_proto_version((*identity)->context(), 0);
  Impostor old(**identity, connect_from("127.0.0.1"), TLS1_2_VERSION);
  EXPECT_FALSE(old.connect());
  EXPECT_THAT(b->refusal(), HasSubstr("TLS: unsupported protocol"));
}

TEST_F(Strangers, WhoSpeakAnotherVersionAreRefused) {
  const auto b = start_b();
  const auto a = start_a(identities_.files("site-a", "site-b", print_b_),
                         [](PeerConfig&, Hello& hello) { hello.version = 1; });
  EXPECT_THAT(b->refusal(), HasSubstr("the peer speaks version 1, this gateway 2"));
}

TEST_F(Strangers, WhoCallThemselvesOtherwiseAreRefused) {
  const auto b = start_b();
  const auto a = start_a(identities_.files("site-a", "site-b", print_b_),
                         [](PeerConfig&, Hello& hello) { hello.gateway = "site-z"; });
  EXPECT_THAT(b->refusal(), HasSubstr("the peer calls itself \"site-z\", peer.name is \"site-a\""));
}

TEST_F(Strangers, WhoAnnounceAMessageOfFourGigabytesAreLost) {
  const auto b = start_b();
  const auto identity = Identity::open(identities_.files("site-a", "site-b", print_b_));
  Impostor impostor(**identity, connect_from("127.0.0.1"));
  ASSERT_TRUE(impostor.connect());
  impostor.say("\xff\xff\xff\xff");
  EXPECT_THAT(b->refusal(), HasSubstr("a message of 4294967295 octets was announced; at most "
                                      "65536 are allowed"));
}

TEST_F(Strangers, WhoSayAnythingBeforeHelloAreLost) {
  const auto b = start_b();
  const auto identity = Identity::open(identities_.files("site-a", "site-b", print_b_));
  Impostor impostor(**identity, connect_from("127.0.0.1"));
  ASSERT_TRUE(impostor.connect());
  impostor.say(Impostor::framed(encode(House{7})));
  EXPECT_THAT(b->refusal(), HasSubstr("the first message was not hello"));
}

TEST_F(Strangers, WhoSayNothingAreLostAfterAWhile) {
  const auto b = start_b();
  EXPECT_TRUE(is_closed(connect_from("127.0.0.1")));
  EXPECT_THAT(b->refusal(), HasSubstr("no hello came"));
}

TEST_F(Strangers, InAnyNumberDoNotKeepThePeerOut) {
  const auto b = start_b();
  for (int i = 0; i < 200; ++i) connect_from("127.0.0.9");
  const auto a = start_true_a();
  EXPECT_TRUE(a->is_up());
  EXPECT_TRUE(b->is_up());
  EXPECT_LT(b->downs(), 10u) << "nor fill the log";
}

TEST_F(Strangers, DoNotEndASessionThatIsUp) {
  const auto b = start_b();
  const auto a = start_true_a();
  ASSERT_TRUE(a->is_up());
  ASSERT_TRUE(b->is_up());
  const int fd = connect_from("127.0.0.1");
  ASSERT_EQ(send(fd, "garbage that is no TLS", 22, MSG_NOSIGNAL), 22);
  EXPECT_TRUE(is_closed(fd));
  a->send(End{9});
  EXPECT_TRUE(b->heard(End{9}));
  EXPECT_EQ(a->ups(), 1u);
}

}  // namespace
}  // namespace anabranch::control
