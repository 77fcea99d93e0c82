// SPDX-License-Identifier: Apache-2.0
// A ring that we share with the kernel (if_xdp.h): one side writes entries and the producer's
// number, the other reads them and writes the consumer's. Numbers only grow and wrap at 2^32; the
// size is a power of two. One thread of ours uses a ring at a time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <linux/if_xdp.h>

namespace dp {

// Our side of a ring, in memory that the kernel's socket owns.
template <class Entry>
class XdpRing {
 public:
  XdpRing() = default;
  XdpRing(std::byte* map, const xdp_ring_offset& offsets, std::uint32_t size) noexcept
      : producer_(reinterpret_cast<std::uint32_t*>(map + offsets.producer)),
        consumer_(reinterpret_cast<std::uint32_t*>(map + offsets.consumer)),
        flags_(reinterpret_cast<std::uint32_t*>(map + offsets.flags)),
        entries_(reinterpret_cast<Entry*>(map + offsets.desc)),
        size_(size) {}

  // The entry `i` places after the first that has not been taken or given yet.
  Entry& entry(std::uint32_t i) noexcept { return entries_[(own_ + i) & (size_ - 1)]; }

  // We produce (fill, tx): how many of `wanted` entries there is room for.
  std::uint32_t room(std::uint32_t wanted) noexcept {
    if (own_ - theirs_ + wanted > size_) {
      // Acquire pairs with the kernel's release once it has read the entries.
      theirs_ = std::atomic_ref(*consumer_).load(std::memory_order_acquire);
    }
    return std::min(wanted, size_ - (own_ - theirs_));
  }
  void give(std::uint32_t count) noexcept {
    own_ += count;
    // Release pairs with the kernel's acquire before it reads the entries.
    std::atomic_ref(*producer_).store(own_, std::memory_order_release);
  }
  // Given, and not looked at by the kernel so far.
  std::uint32_t pending() noexcept {
    return own_ - std::atomic_ref(*consumer_).load(std::memory_order_relaxed);
  }

  // We consume (rx, completion): how many entries there are, `most` at most.
  std::uint32_t available(std::uint32_t most) noexcept {
    if (theirs_ == own_) {
      // Acquire pairs with the kernel's release once it has written the entries.
      theirs_ = std::atomic_ref(*producer_).load(std::memory_order_acquire);
    }
    return std::min(most, theirs_ - own_);
  }
  void take(std::uint32_t count) noexcept {
    own_ += count;
    // Release: what we read must be read before the kernel writes there again.
    std::atomic_ref(*consumer_).store(own_, std::memory_order_release);
  }

  // The kernel sleeps on this ring until a system call wakes it.
  bool needs_wakeup() const noexcept {
    return (std::atomic_ref(*flags_).load(std::memory_order_relaxed) & XDP_RING_NEED_WAKEUP) != 0;
  }

 private:
  std::uint32_t* producer_ = nullptr;
  std::uint32_t* consumer_ = nullptr;
  std::uint32_t* flags_ = nullptr;
  Entry* entries_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t own_ = 0;     // Our number.
  std::uint32_t theirs_ = 0;  // The kernel's, as last seen.
};

}  // namespace dp
