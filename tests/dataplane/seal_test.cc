// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/seal.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <string>

#include "dataplane/bounds.h"
#include "tests/dataplane/packet_builder.h"
#include "tests/dataplane/test_keys.h"

namespace anabranch::dataplane {
namespace {

Bytes bytes(std::string_view hex) {
  Bytes result;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    result.push_back(static_cast<uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return result;
}

Nonce nonce(std::string_view hex) {
  Nonce result;
  const Bytes octets = bytes(hex);
  std::copy_n(octets.begin(), result.size(), result.begin());
  return result;
}

struct Vector {
  const char* name;
  Cipher cipher;
  const char *key, *nonce, *authenticated, *clear, *sealed, *tag;
};

const Vector kVectors[] = {
    // NIST's "The Galois/Counter Mode of Operation", appendix B.
    {"GcmTestCase1", Cipher::aes_128_gcm, "00000000000000000000000000000000",
     "000000000000000000000000", "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
    {"GcmTestCase2", Cipher::aes_128_gcm, "00000000000000000000000000000000",
     "000000000000000000000000", "", "00000000000000000000000000000000",
     "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf"},
    {"GcmTestCase4", Cipher::aes_128_gcm, "feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b"
     "5"
     "25b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84a"
     "a"
     "051ba30b396a0aac973d58e091",
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {"GcmTestCase16", Cipher::aes_256_gcm,
     "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b"
     "5"
     "25b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828"
     "838"
     "c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    // RFC 8439 2.8.2.
    {"Rfc8439", Cipher::chacha20_poly1305,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
     "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a20496620492"
     "0"
     "636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c20737"
     "5"
     "6e73637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da927"
     "2"
     "8b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b483"
     "1"
     "d7bc3ff4def08e4b7a9de576d26586cec64b6116",
     "1ae10b594f09e26a7e902ecbd0600691"},
};

class Cryptography : public testing::TestWithParam<Vector> {};

TEST_P(Cryptography, AgreesWithThePublishedVector) {
  const Vector& v = GetParam();
  const TrafficKey key(v.cipher, bytes(v.key), Nonce{});
  const Bytes clear = bytes(v.clear);
  Bytes out(clear.size() + kTag);
  key.seal(out.data(), clear, bytes(v.authenticated), nonce(v.nonce));
  EXPECT_EQ(out, bytes(v.sealed) + bytes(v.tag));
  ASSERT_TRUE(key.open(out, bytes(v.authenticated), nonce(v.nonce)));
  EXPECT_TRUE(std::equal(clear.begin(), clear.end(), out.begin()));
}
INSTANTIATE_TEST_SUITE_P(Published, Cryptography, testing::ValuesIn(kVectors),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Nonces, AreMadeAsInRfc10069) {
  const Nonce iv = nonce("6b26114b9cba2b63a9e8dd4f");
  EXPECT_EQ(make_nonce(iv, {.path = 3, .packet_number = 54321}), nonce("6b2611489cba2b63a9e8097e"));
}

TEST(Nonces, DifferForEachWorkerPathAndNumber) {
  const Nonce iv = nonce("6b26114b9cba2b63a9e8dd4f");
  std::set<Nonce> seen;
  for (uint8_t worker = 0; worker < kWorkersMax; ++worker) {
    for (uint8_t path = 0; path < kPathsMax; ++path) {
      for (uint64_t n = 0; n < 20; ++n) {
        const uint64_t number = n < 10 ? n : uint64_t{1} << 4 * (n - 4);
        seen.insert(make_nonce(iv, {.worker = worker, .path = path, .packet_number = number}));
      }
    }
  }
  EXPECT_EQ(seen.size(), size_t{kWorkersMax} * kPathsMax * 20);
}

class Seal : public testing::TestWithParam<Cipher> {
 protected:
  Bytes sealed(const Bytes& content) const {
    Bytes segment(kOuterHeader + content.size() + kTag, 0xcc);
    seal(*key_, kOuter, content, segment.data());
    return segment;
  }
  bool opens(Bytes segment) const {
    Outer outer;
    return segment.size() >= kOuterHeader && load_outer(segment.data(), outer) &&
           open(*key_, outer, segment);
  }
  static constexpr Outer kOuter{.path = 1, .receiver_index = 1025, .packet_number = 42};
  const std::shared_ptr<const TrafficKey> key_ = test_key(1, 1, 1, GetParam());
};
INSTANTIATE_TEST_SUITE_P(With, Seal,
                         testing::Values(Cipher::aes_128_gcm, Cipher::aes_256_gcm,
                                         Cipher::chacha20_poly1305),
                         [](const auto& tested) {
                           return "Cipher" + std::to_string(static_cast<int>(tested.param));
                         });

TEST_P(Seal, OpensWhatItSealedAndHidesTheContent) {
  for (const size_t size : {1, 15, 16, 17, 64, 255, 256, 257, 1408, 1434}) {
    const Bytes content = packet().payload(size, 5).ip();
    Bytes segment = sealed(content);
    EXPECT_EQ(
        std::search(segment.begin(), segment.end(),
                    content.end() - 1 - static_cast<std::ptrdiff_t>(std::min(size, size_t{8})),
                    content.end()),
        segment.end());
    ASSERT_TRUE(open(*key_, kOuter, segment));
    EXPECT_TRUE(std::equal(content.begin(), content.end(), segment.begin() + kOuterHeader));
  }
}

TEST_P(Seal, FindsEveryBitThatWasChanged) {
  const Bytes segment = sealed(packet().payload(64, 1).ip());
  for (size_t i = 0; i < segment.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes forged = segment;
      forged[i] = static_cast<uint8_t>(forged[i] ^ 1u << bit);
      EXPECT_FALSE(opens(forged)) << "octet " << i << " bit " << bit;
    }
  }
}

TEST_P(Seal, FindsEveryCutAndWhatWasAppended) {
  const Bytes segment = sealed(packet().payload(64, 2).ip());
  for (size_t length = 0; length < segment.size(); ++length) {
    EXPECT_FALSE(
        opens(Bytes(segment.begin(), segment.begin() + static_cast<std::ptrdiff_t>(length))))
        << length;
  }
  EXPECT_FALSE(opens(segment + Bytes{0}));
}

TEST_P(Seal, OpensWithTheKeyOfItsPhaseAndSenderOnly) {
  const Bytes content = packet().payload(64, 3).ip();
  for (const auto& other : {test_key(1, 2, 1, GetParam()), test_key(2, 1, 1, GetParam())}) {
    Bytes segment = sealed(content);
    EXPECT_FALSE(open(*other, kOuter, segment));
  }
}

TEST(TrafficKeys, AreNotThereInAForkedChild) {
  const auto key = test_key(1, 1);
  const pid_t child = fork();
  if (child == 0) {
    // A sanitiser would report the signal we are after.
    for (const int number : {SIGSEGV, SIGBUS}) signal(number, SIG_DFL);
    uint8_t out[1 + kTag];
    key->seal(out, Bytes{1}, {}, Nonce{});
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child could seal";
}

}  // namespace
}  // namespace anabranch::dataplane
