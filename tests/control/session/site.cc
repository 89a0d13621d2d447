// SPDX-License-Identifier: BSD-3-Clause
#include "tests/control/session/site.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

namespace anabranch::control {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);

X509* read_certificate(const std::string& file) {
  FILE* in = std::fopen(file.c_str(), "r");
  X509* certificate = PEM_read_X509(in, nullptr, nullptr, nullptr);
  std::fclose(in);
  return certificate;
}

void write_certificate(const std::string& file, X509* certificate) {
  FILE* out = std::fopen(file.c_str(), "w");
  PEM_write_X509(out, certificate);
  std::fclose(out);
}

}  // namespace

uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

Identities::Identities() {
  signal(SIGPIPE, SIG_IGN);
}

std::string Identities::make(const std::string& name, int days) {
  const auto made = make_identity(name, folder_.path(), days);
  EXPECT_TRUE(made) << made.error();
  return made.value_or("");
}

void Identities::make_signed(const std::string& name, const std::string& ca_name) {
  make(name);
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  X509* authority = X509_new();
  X509_set_version(authority, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(authority), 1);
  X509_gmtime_adj(X509_getm_notBefore(authority), -60);
  X509_gmtime_adj(X509_getm_notAfter(authority), 3600);
  X509_set_pubkey(authority, key);
  X509_NAME* who = X509_get_subject_name(authority);
  X509_NAME_add_entry_by_txt(who, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const uint8_t*>(ca_name.c_str()), -1, -1, 0);
  X509_set_issuer_name(authority, who);
  X509_EXTENSION* is_ca =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
  X509_add_ext(authority, is_ca, -1);
  X509_EXTENSION_free(is_ca);
  X509_sign(authority, key, nullptr);
  write_certificate(ca(ca_name), authority);

  X509* leaf = read_certificate(folder_.file(name + ".crt"));
  X509_set_issuer_name(leaf, who);
  X509_sign(leaf, key, nullptr);
  write_certificate(folder_.file(name + ".crt"), leaf);
  X509_free(leaf);
  X509_free(authority);
  EVP_PKEY_free(key);
}

IdentityFiles Identities::files(const std::string& name, const std::string& peer,
                                const std::string& fingerprint) const {
  return {.certificate = folder_.file(name + ".crt"),
          .key = folder_.file(name + ".key"),
          .peer_name = peer,
          .peer_fingerprint = fingerprint};
}

Site::Site(const IdentityFiles& files, SessionRole role, uint16_t port, const Change& change) {
  auto identity = Identity::open(files);
  EXPECT_TRUE(identity) << identity.error();
  identity_ = std::move(*identity);
  peer_.name = files.peer_name;
  peer_.role = role;
  peer_.port = port;
  const std::vector<dataplane::Cipher> all{dataplane::Cipher::aes_128_gcm,
                                           dataplane::Cipher::aes_256_gcm,
                                           dataplane::Cipher::chacha20_poly1305};
  Hello hello{.gateway = role == SessionRole::connect ? "site-a" : "site-b",
              .instance = static_cast<uint64_t>(getpid()) + port,
              .ciphers = all};
  std::vector<Session::Ends> paths{{*parse_ipv4("127.0.0.1"), *parse_ipv4("127.0.0.2")},
                                   {*parse_ipv4("127.0.0.3"), *parse_ipv4("127.0.0.4")}};
  if (role == SessionRole::listen) {
    for (Session::Ends& ends : paths) std::swap(ends.local, ends.remote);
  }
  for (const Session::Ends& ends : paths)
    hello.paths.push_back({static_cast<uint8_t>(hello.paths.size() + 1), ends.local});
  if (change) change(peer_, hello);
  const auto note = [this](auto&& what) {
    const std::lock_guard lock(mutex_);
    what();
    happened_.notify_all();
  };
  session_ = std::make_unique<Session>(
      loop_, *identity_, peer_, paths, hello,
      Session::Events{
          .up = [this, note](const Hello&,
                             const PhaseKeys& keys) { note([&] { keys_.push_back(keys); }); },
          .message = [this,
                      note](const Message& m) { note([&] { messages_.push_back(encode(m)); }); },
          .down = [this, note](const std::string& why) { note([&] { downs_.push_back(why); }); }});
  const auto started = session_->start();
  EXPECT_TRUE(started) << started.error();
  thread_ = std::thread([this] { loop_.run(); });
}

Site::~Site() {
  loop_.stop();
  thread_.join();
}

template <typename Condition>
bool Site::wait(Condition condition) {
  std::unique_lock lock(mutex_);
  return happened_.wait_for(lock, kPatience, condition);
}

bool Site::is_up(size_t times) {
  return wait([&] { return keys_.size() >= times; });
}

std::string Site::refusal() {
  return wait([&] { return !downs_.empty(); }) ? downs_.front() : "nothing was refused";
}

bool Site::heard(const Message& message) {
  return wait([&, wanted = encode(message)] {
    return std::find(messages_.begin(), messages_.end(), wanted) != messages_.end();
  });
}

void Site::send(const Message& message) {
  loop_.post([this, message] { session_->send(message); });
}

void Site::change_keys() {
  loop_.post([this] { session_->change_keys(); });
}

size_t Site::ups() {
  const std::lock_guard lock(mutex_);
  return keys_.size();
}

size_t Site::downs() {
  const std::lock_guard lock(mutex_);
  return downs_.size();
}

PhaseKeys Site::keys(size_t handshake) {
  const std::lock_guard lock(mutex_);
  return keys_.at(handshake);
}

}  // namespace anabranch::control
