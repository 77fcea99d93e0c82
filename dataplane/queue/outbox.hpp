// SPDX-License-Identifier: Apache-2.0
// Frames of one worker that wait for the end of the burst to leave at one port together. Whoever
// walks the outboxes of a worker counts what it holds.
#pragma once

#include <rte_mbuf.h>

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
  // Takes ownership. The outbox is not full.
  void push(rte_mbuf* mbuf) noexcept { frames_[size_++] = mbuf; }

  std::span<rte_mbuf*> frames() noexcept { return {frames_.data(), size_}; }
  // Forgets the frames; somebody else owns them now.
  void clear() noexcept { size_ = 0; }

 private:
  std::uint16_t size_ = 0;
  std::array<rte_mbuf*, capacity> frames_;
};

}  // namespace dp
