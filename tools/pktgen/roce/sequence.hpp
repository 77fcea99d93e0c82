// SPDX-License-Identifier: Apache-2.0
// Loss, order and duplicates of a sequence of numbers that count up by one. Exact for numbers at
// most `window` behind the highest seen; older ones are counted apart as `stale`.
#pragma once

#include <array>
#include <cstdint>

namespace pktgen {

class SequenceTracker {
 public:
  // 512 numbers: at 20 Mpps of one QP, that is 25 µs of reordering, and 64 bytes.
  static constexpr std::uint32_t window = 512;

  enum class Finding : std::uint8_t { in_order, late, duplicate, stale };

  // The first number that is expected; what is missing before the first one seen is lost.
  explicit SequenceTracker(std::uint32_t first = 0) noexcept : next_(first), first_(first) {}

  Finding see(std::uint32_t number) noexcept {
    ++received_;
    const auto ahead = static_cast<std::int32_t>(number - next_);
    if (ahead >= 0) {
      advance(static_cast<std::uint32_t>(ahead));
      return Finding::in_order;
    }
    const auto behind = static_cast<std::uint32_t>(-ahead);
    if (behind > window || behind > passed_) {  // Or from before the first.
      ++stale_;
      return Finding::stale;
    }
    std::uint64_t& word = seen_[number % window / 64];
    const std::uint64_t bit = std::uint64_t{1} << (number % 64);
    if ((word & bit) != 0) {
      ++duplicates_;
      return Finding::duplicate;
    }
    word |= bit;
    ++late_;
    return Finding::late;
  }

  std::uint64_t received() const noexcept { return received_; }      // All of them.
  std::uint64_t duplicates() const noexcept { return duplicates_; }  // Seen before.
  std::uint64_t late() const noexcept { return late_; }    // Arrived behind a higher number.
  std::uint64_t stale() const noexcept { return stale_; }  // Late or duplicate, too old to know.
  // Numbers below the highest seen that never came; what the sender sent after it is unknown here.
  std::uint64_t lost() const noexcept { return passed_ - (received_ - duplicates_ - stale_); }
  std::uint32_t first() const noexcept { return first_; }
  std::uint32_t next() const noexcept { return next_; }  // One above the highest seen.

 private:
  void advance(std::uint32_t skipped) noexcept {
    if (skipped >= window) {
      seen_.fill(0);
    } else {
      for (std::uint32_t i = 0; i < skipped; ++i) clear(next_ + i);
    }
    next_ += skipped;
    seen_[next_ % window / 64] |= std::uint64_t{1} << (next_ % 64);
    ++next_;
    passed_ += std::uint64_t{skipped} + 1;
  }
  void clear(std::uint32_t number) noexcept {
    seen_[number % window / 64] &= ~(std::uint64_t{1} << (number % 64));
  }

  std::uint32_t next_;
  std::uint32_t first_;
  std::uint64_t passed_ = 0;  // Numbers from the first to the highest seen.
  std::uint64_t received_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t late_ = 0;
  std::uint64_t stale_ = 0;
  std::array<std::uint64_t, window / 64> seen_{};
};

}  // namespace pktgen
