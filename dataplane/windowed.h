// SPDX-License-Identifier: BSD-3-Clause
// The least or greatest of the last one to two intervals. Pure.
#pragma once

#include <cstdint>

namespace anabranch::dataplane {

template <typename T, typename Better>
class Windowed {
 public:
  void add(T value, uint64_t now, uint64_t interval) {
    if (!any_ || now - since_ >= interval) {
      previous_ = any_ && now - since_ < 2 * interval ? current_ : value;
      current_ = value;
      since_ = now;
      any_ = true;
    }
    if (Better{}(value, current_)) current_ = value;
  }
  bool any() const { return any_; }
  T get() const { return Better{}(previous_, current_) ? previous_ : current_; }

 private:
  T current_{}, previous_{};
  uint64_t since_ = 0;
  bool any_ = false;
};
struct Less {
  bool operator()(auto a, auto b) const { return a < b; }
};
struct Greater {
  bool operator()(auto a, auto b) const { return a > b; }
};

}  // namespace anabranch::dataplane
