// SPDX-License-Identifier: Apache-2.0
// Frames of one worker that wait for the end of the burst to leave at one port together. Whoever
// walks the outboxes of a worker counts what it holds.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace dp {

class Outbox {
 public:
  // Four bursts: flooding multiplies a burst, and a full outbox is only sent early, not lost.
  static constexpr std::uint16_t capacity = 256;

  bool full() const noexcept { return size_ == capacity; }
  std::uint16_t size() const noexcept { return size_; }
  // Takes ownership of the first frames, as many as there is room for, and says how many.
  std::uint16_t push(std::span<rte_mbuf* const> frames) noexcept {
    const auto count = static_cast<std::uint16_t>(
        std::min<std::size_t>(frames.size(), static_cast<std::size_t>(capacity - size_)));
    std::copy_n(frames.begin(), count, frames_.begin() + size_);
    size_ = static_cast<std::uint16_t>(size_ + count);
    return count;
  }

  std::span<rte_mbuf*> frames() noexcept { return {frames_.data(), size_}; }
  // Forgets the frames; somebody else owns them now.
  void clear() noexcept { size_ = 0; }

 private:
  std::uint16_t size_ = 0;
  std::array<rte_mbuf*, capacity> frames_;
};

}  // namespace dp
