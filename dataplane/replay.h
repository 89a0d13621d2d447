// SPDX-License-Identifier: BSD-3-Clause
// Which packet numbers have been accepted (RFC 6479: blocks in a ring, never shifted). One for each
// sending worker and path, so that reordering within a path is all it has to bear: 65 472 numbers
// are 50 ms of a path at 15 Gbit/s with 1408-octet packets. All zero: nothing was accepted yet.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace anabranch::dataplane {

class ReplayWindow {
 public:
  static constexpr uint64_t kBlocks = 1024;
  static constexpr uint64_t kSize = (kBlocks - 1) * 64;

  // False when the number was accepted before, or is too old to know.
  bool is_fresh(uint64_t number) const {
    if (number >= next_) return true;
    return number + kSize >= next_ && (block(number) >> (number % 64) & 1) == 0;
  }
  bool is_newest(uint64_t number) const { return number >= next_; }
  // Only after the tag has been verified.
  void accept(uint64_t number) {
    if (number >= next_) {
      // Blocks that come into the window are from a lap ago.
      const uint64_t last = next_ == 0 ? 0 : (next_ - 1) / 64;
      const uint64_t skipped = std::min(number / 64 - last, kBlocks);
      for (uint64_t i = 1; i <= skipped; ++i) blocks_[(last + i) % kBlocks] = 0;
      next_ = number + 1;
    }
    block(number) |= uint64_t{1} << (number % 64);
  }
  bool any() const { return next_ != 0; }
  uint64_t highest() const { return next_ - 1; }
  // How many numbers right below `top`, down to `floor`, were all accepted, or all not.
  uint64_t run_below(uint64_t top, uint64_t floor, bool accepted) const {
    const uint64_t from = top;
    while (top > floor) {
      // The bits of a block up to the one of top - 1, aligned to the left; a differing one ends it.
      const auto bits = static_cast<uint32_t>((top - 1) % 64 + 1);
      const uint64_t word = (accepted ? ~block(top - 1) : block(top - 1)) << (64 - bits);
      const auto run = std::min(static_cast<uint32_t>(std::countl_zero(word)), bits);
      top -= std::min<uint64_t>(run, top - floor);
      if (run < bits) break;
    }
    return from - top;
  }

 private:
  uint64_t& block(uint64_t number) { return blocks_[number / 64 % kBlocks]; }
  const uint64_t& block(uint64_t number) const { return blocks_[number / 64 % kBlocks]; }

  uint64_t next_;  // one more than the highest accepted
  std::array<uint64_t, kBlocks> blocks_;
};

}  // namespace anabranch::dataplane
