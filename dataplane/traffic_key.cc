// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/traffic_key.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace anabranch::dataplane {
namespace {

// The library's functions for this CPU. The manager also holds queues of jobs, which we do not use.
const IMB_MGR& functions() {
  static const IMB_MGR* const manager = [] {
    IMB_MGR* m = alloc_mb_mgr(0);
    if (m == nullptr) std::abort();
    init_mb_mgr_auto(m, nullptr);
    return m;
  }();
  return *manager;
}

bool is_same_tag(const uint8_t* a, const uint8_t* b) {
  uint64_t x[2], y[2];
  std::memcpy(x, a, kTag);
  std::memcpy(y, b, kTag);
  return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;  // takes as long wherever they differ
}

}  // namespace

void* TrafficKey::operator new(size_t size) {
  void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || madvise(pages, size, MADV_DONTFORK) != 0 ||
      madvise(pages, size, MADV_DONTDUMP) != 0) {
    std::perror("memory for a key");
    std::abort();
  }
  (void)mlock(pages, size);  // not every machine lets us; swap is the operator's choice then
  return pages;
}

void TrafficKey::operator delete(void* pages, size_t size) {
  munmap(pages, size);
}

TrafficKey::TrafficKey(Cipher cipher, std::span<const uint8_t> key, const Nonce& iv)
    : iv_(iv), cipher_(cipher) {
  const IMB_MGR& f = functions();
  switch (cipher) {
    case Cipher::aes_128_gcm:
      f.gcm128_pre(key.data(), &gcm_);
      gcm_seal_ = f.gcm128_enc;
      gcm_open_ = f.gcm128_dec;
      break;
    case Cipher::aes_256_gcm:
      f.gcm256_pre(key.data(), &gcm_);
      gcm_seal_ = f.gcm256_enc;
      gcm_open_ = f.gcm256_dec;
      break;
    case Cipher::chacha20_poly1305:
      std::copy_n(key.begin(), chacha_.size(), chacha_.begin());
      break;
    case Cipher::null:
      break;
  }
}

TrafficKey::~TrafficKey() {
  explicit_bzero(&gcm_, sizeof gcm_);
  explicit_bzero(chacha_.data(), chacha_.size());
  explicit_bzero(iv_.data(), iv_.size());
}

void TrafficKey::seal(uint8_t* out, std::span<const uint8_t> clear,
                      std::span<const uint8_t> authenticated, const Nonce& nonce) const {
  uint8_t* const tag = out + clear.size();
  if (gcm_seal_ != nullptr) {
    gcm_context_data context;
    return gcm_seal_(&gcm_, &context, out, clear.data(), clear.size(), nonce.data(),
                     authenticated.data(), authenticated.size(), tag, kTag);
  }
  if (cipher_ == Cipher::null) {
    if (out != clear.data()) std::memcpy(out, clear.data(), clear.size());
    std::memset(tag, 0, kTag);
    return;
  }
  const IMB_MGR& f = functions();
  chacha20_poly1305_context_data context;
  f.chacha20_poly1305_init(chacha_.data(), &context, nonce.data(), authenticated.data(),
                           authenticated.size());
  f.chacha20_poly1305_enc_update(chacha_.data(), &context, out, clear.data(), clear.size());
  f.chacha20_poly1305_finalize(&context, tag, kTag);
}

bool TrafficKey::open(std::span<uint8_t> sealed, std::span<const uint8_t> authenticated,
                      const Nonce& nonce) const {
  if (sealed.size() < kTag) return false;
  const size_t length = sealed.size() - kTag;
  uint8_t* const content = sealed.data();
  uint8_t tag[kTag] = {};
  if (gcm_open_ != nullptr) {
    gcm_context_data context;
    gcm_open_(&gcm_, &context, content, content, length, nonce.data(), authenticated.data(),
              authenticated.size(), tag, kTag);
  } else if (cipher_ != Cipher::null) {
    const IMB_MGR& f = functions();
    chacha20_poly1305_context_data context;
    f.chacha20_poly1305_init(chacha_.data(), &context, nonce.data(), authenticated.data(),
                             authenticated.size());
    f.chacha20_poly1305_dec_update(chacha_.data(), &context, content, content, length);
    f.chacha20_poly1305_finalize(&context, tag, kTag);
  }
  return is_same_tag(tag, content + length);
}

}  // namespace anabranch::dataplane
