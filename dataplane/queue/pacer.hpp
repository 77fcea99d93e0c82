// SPDX-License-Identifier: Apache-2.0
// Lets bytes leave at a rate: a token bucket, kept as the time at which the bytes sent so far would
// have left at that rate. Exact to a 2^24th of a cycle, so that no error adds up.
#pragma once

#include "dataplane/table/records.hpp"

#include <algorithm>
#include <cstdint>

namespace dp {

class Pacer {
 public:
  static bool is_limited(const RateRecord& rate) noexcept { return rate.cycles_per_byte != 0; }

  // Forgets what of a pause the burst does not make up for. Before anything is asked at `now`.
  void catch_up(const RateRecord& rate, std::uint64_t now) noexcept {
    if (!is_limited(rate) || now < rate.burst_cycles) return;
    const std::uint64_t earliest = now - rate.burst_cycles;
    if (sent_until_ >= earliest) return;
    sent_until_ = earliest;
    fraction_ = 0;
  }

  // When `bytes` may leave, TSC cycles.
  std::uint64_t due(const RateRecord& rate, std::uint64_t bytes) const noexcept {
    return sent_until_ + (cost(rate, bytes) >> cycles_per_byte_shift);
  }
  // The same of one frame: whole credit is enough for it, however long it is.
  std::uint64_t due_frame(const RateRecord& rate, std::uint32_t bytes) const noexcept {
    return sent_until_ + std::min(cost(rate, bytes) >> cycles_per_byte_shift, rate.burst_cycles);
  }
  void sent(const RateRecord& rate, std::uint64_t bytes) noexcept {
    const std::uint64_t all = cost(rate, bytes);
    sent_until_ += all >> cycles_per_byte_shift;
    fraction_ = all & fraction_mask;
  }
  // They have not, after all.
  void take_back(const RateRecord& rate, std::uint64_t bytes) noexcept {
    const std::uint64_t owed = bytes * rate.cycles_per_byte;
    const std::uint64_t fraction = owed & fraction_mask;
    sent_until_ -= (owed >> cycles_per_byte_shift) + (fraction > fraction_ ? 1 : 0);
    fraction_ = (fraction_ - fraction) & fraction_mask;
  }

 private:
  static constexpr std::uint64_t fraction_mask = (std::uint64_t{1} << cycles_per_byte_shift) - 1;

  std::uint64_t cost(const RateRecord& rate, std::uint64_t bytes) const noexcept {
    return fraction_ + bytes * rate.cycles_per_byte;
  }

  std::uint64_t sent_until_ = 0;  // TSC cycles.
  std::uint64_t fraction_ = 0;
};

}  // namespace dp
