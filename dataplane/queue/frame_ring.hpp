// SPDX-License-Identifier: Apache-2.0
// Frames on their way between one worker and the housekeeper, one ring for each direction. Bounded:
// who finds it full keeps its frame. Frames that are still in it when it goes are freed.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/packet/owned_mbuf.hpp"
#include "dataplane/queue/bell.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace dp {

class FrameRing {
 public:
  // 5 ms, the housekeeper's longest sleep while it expects frames, at 50,000 a second.
  static constexpr std::uint32_t capacity = 256;

  struct Frame {
    OwnedMbuf mbuf;  // None: the ring is empty.
    base::PortId port;
  };

  FrameRing() = default;
  ~FrameRing() {
    while (pop().mbuf) {
    }
  }
  FrameRing(const FrameRing&) = delete;
  FrameRing& operator=(const FrameRing&) = delete;

  // The writing thread. False: `room` frames wait already, and this one is still the caller's.
  bool push(rte_mbuf* mbuf, base::PortId port, std::uint32_t room = capacity) noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    // Acquire pairs with the release in pop(): the place has been read before it is written again.
    if (tail - head_.load(std::memory_order_acquire) >= room) return false;
    places_[tail % capacity] = {mbuf, port};
    tail_.store(tail + 1, std::memory_order_release);  // Pairs with the acquire in pop().
    return true;
  }

  // The reading thread.
  bool empty() const noexcept {
    return tail_.load(std::memory_order_acquire) == head_.load(std::memory_order_relaxed);
  }
  Frame pop() noexcept {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    // Acquire pairs with the release in push(): the place is complete.
    if (tail_.load(std::memory_order_acquire) == head) return {.mbuf = nullptr, .port = {}};
    const Place place = places_[head % capacity];
    head_.store(head + 1, std::memory_order_release);  // Pairs with the acquire in push().
    return {.mbuf = OwnedMbuf(place.mbuf), .port = place.port};
  }

 private:
  struct Place {
    rte_mbuf* mbuf;
    base::PortId port;
  };

  std::atomic<std::uint32_t> tail_{0};  // Written by the writing thread.
  std::atomic<std::uint32_t> head_{0};  // Written by the reading thread.
  std::array<Place, capacity> places_{};
};
static_assert((FrameRing::capacity & (FrameRing::capacity - 1)) == 0, "positions wrap around");

// Of one worker.
struct FrameRings {
  FrameRing to_housekeeper;    // What no worker can finish.
  FrameRing from_housekeeper;  // To be sent: the housekeeper has no tx queue of its own.
  Bell bell;                   // The worker's.
};

}  // namespace dp
