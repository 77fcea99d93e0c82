// SPDX-License-Identifier: Apache-2.0
// Frames on their way from one worker to the home worker of a port. Bounded: who finds it full
// keeps its frame. What is in it counts in the depth of its class.
#pragma once

#include "dataplane/contract/limits.hpp"
#include "dataplane/queue/queued_frame.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace dp {

class HandOverRing {
 public:
  // Some turns of a worker: 16 bursts.
  static constexpr std::uint32_t capacity = 1024;

  // The worker that hands over. False: it is full, and the frame is still the caller's.
  bool push(const QueuedFrame& frame) noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    // Acquire pairs with the release in pop(): the place has been read before it is written again.
    if (tail - head_.load(std::memory_order_acquire) == capacity) return false;
    frames_[tail % capacity] = frame;
    std::atomic<std::uint64_t>& bytes = bytes_in_[frame.traffic_class];
    bytes.store(bytes.load(std::memory_order_relaxed) + frame.bytes, std::memory_order_relaxed);
    tail_.store(tail + 1, std::memory_order_release);  // Pairs with the acquire in size().
    return true;
  }

  // All have been taken out.
  bool is_taken() const noexcept {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_relaxed);
  }

  // The home worker.
  std::uint32_t size() const noexcept {
    return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_relaxed);
  }
  // Only what size() has seen.
  QueuedFrame pop() noexcept {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    const QueuedFrame frame = frames_[head % capacity];
    bytes_out_[frame.traffic_class] += frame.bytes;
    head_.store(head + 1, std::memory_order_release);  // Pairs with the acquire in push().
    return frame;
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

}  // namespace dp
