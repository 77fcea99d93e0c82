// SPDX-License-Identifier: Apache-2.0
// Lets bytes leave at a rate: a token bucket, kept as the time at which the bytes sent so far would
// have left at that rate. Exact to a 2^24th of a cycle, so that no error adds up.
#pragma once

#include "dataplane/table/records.hpp"

#include <cstdint>

namespace dp {

class Pacer {
 public:
  static bool is_limited(const RateRecord& rate) noexcept { return rate.cycles_per_byte != 0; }

  // Forgets what of a pause the burst does not make up for, and says how many cycles those are.
  // Before anything is asked at `now`.
  std::uint64_t catch_up(const RateRecord& rate, std::uint64_t now) noexcept {
    if (!is_limited(rate) || now < rate.burst_cycles) return 0;
    const std::uint64_t earliest = now - rate.burst_cycles;
    if (sent_until_ >= earliest) return 0;
    const std::uint64_t forgotten = earliest - sent_until_;
    sent_until_ = earliest;
    fraction_ = 0;
    return forgotten;
  }

  // When `bytes` may leave, TSC cycles.
  std::uint64_t due(const RateRecord& rate, std::uint64_t bytes) const noexcept {
    return sent_until_ + (cost(rate, bytes) >> cycles_per_byte_shift);
  }
  void sent(const RateRecord& rate, std::uint64_t bytes) noexcept {
    const std::uint64_t all = cost(rate, bytes);
    sent_until_ += all >> cycles_per_byte_shift;
    fraction_ = all & ((std::uint64_t{1} << cycles_per_byte_shift) - 1);
  }

 private:
  std::uint64_t cost(const RateRecord& rate, std::uint64_t bytes) const noexcept {
    return fraction_ + bytes * rate.cycles_per_byte;
  }

  std::uint64_t sent_until_ = 0;  // TSC cycles.
  std::uint64_t fraction_ = 0;
};

}  // namespace dp
