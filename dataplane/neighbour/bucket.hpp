// SPDX-License-Identifier: Apache-2.0
// A bound on how often something happens: so many a second, and as many at once.
#pragma once

#include <algorithm>
#include <cstdint>

namespace dp {

class TokenBucket {
 public:
  // At least 1. Begins full.
  explicit TokenBucket(std::uint32_t per_second) noexcept
      : ns_per_token_(1'000'000'000 / per_second), saved_ns_max_(1'000'000'000) {}

  bool take(std::uint64_t now_ns) noexcept {
    saved_ns_ = std::min(saved_ns_max_, saved_ns_ + (now_ns - last_ns_));
    last_ns_ = now_ns;
    if (saved_ns_ < ns_per_token_) return false;
    saved_ns_ -= ns_per_token_;
    return true;
  }

 private:
  std::uint64_t ns_per_token_;
  std::uint64_t saved_ns_max_;
  std::uint64_t saved_ns_ = 0;  // Since time 0, which is long ago: full at the first use.
  std::uint64_t last_ns_ = 0;
};

}  // namespace dp
