// SPDX-License-Identifier: BSD-3-Clause
// A bounded queue of values from one thread to one other, without locks.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace anabranch::dataplane {

template <typename Value>
class SpscRing {
 public:
  // `size` is a power of two. Allocates; memory is touched as it is used.
  explicit SpscRing(uint32_t size) : values_(size), mask_(size - 1) {}

  // The writer. False when it is full.
  bool put(const Value& value) {
    const uint32_t end = end_.load(std::memory_order_relaxed);
    if (end - begin_.load(std::memory_order_acquire) > mask_) return false;  // pairs with take()
    values_[end & mask_] = value;
    end_.store(end + 1, std::memory_order_release);  // pairs with take()
    return true;
  }
  // The reader. False when it is empty.
  bool take(Value& value) {
    const uint32_t begin = begin_.load(std::memory_order_relaxed);
    if (begin == end_.load(std::memory_order_acquire)) return false;  // pairs with put()
    value = values_[begin & mask_];
    begin_.store(begin + 1, std::memory_order_release);  // pairs with put()
    return true;
  }

 private:
  std::vector<Value> values_;
  const uint32_t mask_;
  alignas(64) std::atomic<uint32_t> begin_{0};
  alignas(64) std::atomic<uint32_t> end_{0};
};

}  // namespace anabranch::dataplane
