// SPDX-License-Identifier: Apache-2.0
// What became of one series of packet sequence numbers: lost, late, twice. Sees 64 numbers back;
// what is older is told apart from neither a duplicate nor a late one. 16 bytes, as there may be
// millions; roce/sequence.hpp sees 512 numbers back and counts by itself.
#pragma once

#include <cstdint>

namespace pktgen {

class PsnSeries {
 public:
  enum class Finding : std::uint8_t { in_order, late, duplicate, too_old };
  static constexpr std::uint32_t psn_mask = 0xff'ffff;
  static constexpr unsigned window = 64;

  // The first number that is expected.
  void start(std::uint32_t psn) noexcept { next_ = psn & psn_mask; }
  std::uint32_t next() const noexcept { return next_; }

  // A frame that takes `count` numbers from `psn` on, at most 64. `skipped`: how many before it are
  // missing until they come late.
  Finding see(std::uint32_t psn, std::uint32_t count, std::uint32_t& skipped) noexcept {
    skipped = 0;
    const std::uint32_t ahead = (psn - next_) & psn_mask;
    if (ahead < half) {
      skipped = ahead;
      // Shifts of 64 and more are undefined.
      seen_ = ahead + count >= window ? 0 : seen_ << (ahead + count);
      seen_ |= ones(count);
      next_ = (psn + count) & psn_mask;
      return Finding::in_order;
    }
    // Its last number tells: the first may be too far back already.
    const std::uint32_t back = (next_ - psn - count) & psn_mask;
    if (back >= window) return Finding::too_old;
    if ((seen_ >> back & 1) != 0) return Finding::duplicate;
    seen_ |= ones(count) << back;
    return Finding::late;
  }

 private:
  static constexpr std::uint64_t ones(std::uint32_t count) noexcept {
    return count >= window ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
  }

  static constexpr std::uint32_t half = 1u << 23;  // Numbers compare as signed ones of 24 bits.

  std::uint64_t seen_ = ~std::uint64_t{0};  // Bit i: next - 1 - i. Before the start: no losses.
  std::uint32_t next_ = 0;
};

}  // namespace pktgen
