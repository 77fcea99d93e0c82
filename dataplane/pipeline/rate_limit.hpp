// SPDX-License-Identifier: Apache-2.0
// A token bucket whose state is one number per bucket (GCRA): a frame conforms if the time at which
// the bucket will be full again is not further away than it takes to fill it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace dp {

class RateLimit {
 public:
  RateLimit() = default;
  // `per_second` and `burst` (frames at once) are at least 1; they are taken for 1 otherwise.
  RateLimit(std::uint32_t per_second, std::uint32_t burst, std::uint64_t cycles_per_second) noexcept
      : interval_(
            std::max<std::uint64_t>(cycles_per_second / std::max<std::uint32_t>(per_second, 1), 1)),
        tolerance_(interval_ * (std::max<std::uint32_t>(burst, 1) - 1)) {}

  // False: too many lately. `full_at` is the bucket's: TSC at which it is full; 0: it is.
  bool take(std::uint64_t& full_at, std::uint64_t now_cycles) const noexcept {
    const std::uint64_t before = std::max(full_at, now_cycles);
    if (before - now_cycles > tolerance_) return false;
    full_at = before + interval_;
    return true;
  }

  friend bool operator==(const RateLimit&, const RateLimit&) = default;

 private:
  std::uint64_t interval_ = 0;   // Cycles between two frames at the rate.
  std::uint64_t tolerance_ = 0;  // Cycles that a full bucket takes to fill, less one frame's.
};

}  // namespace dp
