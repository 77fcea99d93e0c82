// SPDX-License-Identifier: Apache-2.0
// Frames on their way from one worker to the home worker of a port. Bounded: who finds it full
// keeps its frame. What is in it counts in the depth of its class.
#pragma once

#include "dataplane/contract/limits.hpp"
#include "dataplane/queue/queued_frame.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dp {

class HandOverRing {
 public:
  // Some turns of a worker: 16 bursts.
  static constexpr std::uint32_t capacity = 1024;

  // The worker that hands over. As many as there is room for, which it says; the rest is still the
  // caller's.
  std::uint32_t push(std::span<const QueuedFrame> frames) noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    // Acquire pairs with the release in pop(): the places have been read before they are written
    // again.
    const std::uint32_t room = capacity - (tail - head_.load(std::memory_order_acquire));
    const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(frames.size(), room));
    for (std::uint32_t i = 0; i < taken; ++i) {
      frames_[(tail + i) % capacity] = frames[i];
      std::atomic<std::uint64_t>& bytes = bytes_in_[frames[i].traffic_class];
      bytes.store(bytes.load(std::memory_order_relaxed) + frames[i].bytes,
                  std::memory_order_relaxed);
    }
    tail_.store(tail + taken, std::memory_order_release);  // Pairs with the acquire in front().
    return taken;
  }

  // All have been taken out.
  bool is_taken() const noexcept {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_relaxed);
  }

  // The home worker.
  std::uint32_t size() const noexcept {
    return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_relaxed);
  }
  // The first of them, `at_most`, as many as lie side by side.
  std::span<const QueuedFrame> front(std::uint32_t at_most) const noexcept {
    const std::uint32_t place = head_.load(std::memory_order_relaxed) % capacity;
    const std::uint32_t count = std::min({at_most, size(), capacity - place});
    return std::span(frames_).subspan(place, count);
  }
  // The first `count`, no more than front() gave.
  void pop(std::uint32_t count) noexcept {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < count; ++i) {
      const QueuedFrame& frame = frames_[(head + i) % capacity];
      bytes_out_[frame.traffic_class] += frame.bytes;
    }
    head_.store(head + count, std::memory_order_release);  // Pairs with the acquire in push().
  }
  std::uint64_t bytes(unsigned traffic_class) const noexcept {
    const std::uint64_t in = bytes_in_[traffic_class].load(std::memory_order_relaxed);
    return in - bytes_out_[traffic_class];
  }

 private:
  // A cache line each: one is written by one side, one by the other.
  alignas(64) std::atomic<std::uint32_t> tail_{0};
  std::array<std::atomic<std::uint64_t>, contract::traffic_class_count> bytes_in_{};
  alignas(64) std::atomic<std::uint32_t> head_{0};
  std::array<std::uint64_t, contract::traffic_class_count> bytes_out_{};
  alignas(64) std::array<QueuedFrame, capacity> frames_;
};

// They lie side by side, one of each worker.
static_assert(alignof(HandOverRing) == 64 && sizeof(HandOverRing) % 64 == 0);

}  // namespace dp
