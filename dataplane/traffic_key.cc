// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/traffic_key.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace anabranch::dataplane {
namespace {

// The library's functions for this CPU. The manager also holds queues of jobs, which we do not use.
const IMB_MGR* make_functions(decltype(&alloc_mb_mgr) alloc, decltype(&init_mb_mgr_auto) init) {
  IMB_MGR* manager = alloc(0);
  if (manager != nullptr) init(manager, nullptr);
  return manager;
}

const IMB_MGR& shared_functions() {
  static const IMB_MGR* const manager = [] {
    const IMB_MGR* m = make_functions(alloc_mb_mgr, init_mb_mgr_auto);
    if (m == nullptr) std::abort();
    return m;
  }();
  return *manager;
}

thread_local const IMB_MGR* own_functions = nullptr;

const IMB_MGR& functions() {
  return own_functions != nullptr ? *own_functions : shared_functions();
}

bool is_same_tag(const uint8_t* a, const uint8_t* b) {
  uint64_t x[2], y[2];
  std::memcpy(x, a, kTag);
  std::memcpy(y, b, kTag);
  return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;  // takes as long wherever they differ
}

}  // namespace

void use_own_cipher_library() {
  if (own_functions != nullptr || imb_get_version() >= IMB_VERSION(1, 4, 0)) return;
  Dl_info library{};
  if (dladdr(reinterpret_cast<void*>(&alloc_mb_mgr), &library) == 0) return;
  void* const instance = dlmopen(LM_ID_NEWLM, library.dli_fname, RTLD_NOW | RTLD_LOCAL);
  if (instance == nullptr) return;  // there may be so many; the others share the first
  const auto alloc = reinterpret_cast<decltype(&alloc_mb_mgr)>(dlsym(instance, "alloc_mb_mgr"));
  const auto init =
      reinterpret_cast<decltype(&init_mb_mgr_auto)>(dlsym(instance, "init_mb_mgr_auto"));
  if (alloc != nullptr && init != nullptr) own_functions = make_functions(alloc, init);
}

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
      break;
    case Cipher::aes_256_gcm:
      f.gcm256_pre(key.data(), &gcm_);
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
  if (is_gcm()) {
    const IMB_MGR& f = functions();
    const auto seal = cipher_ == Cipher::aes_128_gcm ? f.gcm128_enc : f.gcm256_enc;
    gcm_context_data context;
    return seal(&gcm_, &context, out, clear.data(), clear.size(), nonce.data(),
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
  if (is_gcm()) {
    const IMB_MGR& f = functions();
    const auto open = cipher_ == Cipher::aes_128_gcm ? f.gcm128_dec : f.gcm256_dec;
    gcm_context_data context;
    open(&gcm_, &context, content, content, length, nonce.data(), authenticated.data(),
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
