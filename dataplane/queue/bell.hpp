// SPDX-License-Identifier: Apache-2.0
// How a worker that sleeps is woken: whoever has put something where it will look rings its bell,
// which costs no system call while it is awake.
//
//     the worker                                  who has work for it
//     listen: sleeping = true                     puts the work there
//             full fence                          ring: full fence
//     looks once more, finds nothing                    is it sleeping? then write to the eventfd
//     sleeps on the eventfd
//
// The two fences see to it that the worker finds the work, or is heard to sleep, or both.
#pragma once

#include "dataplane/base/descriptor.hpp"

#include <rte_atomic.h>

#include <atomic>

namespace dp {

class Bell {
 public:
  Bell() noexcept;
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  // Any thread, after it has put the work there.
  void ring() noexcept {
    // Its partner is in listen(). DPDK's, as ThreadSanitizer's compilers refuse the standard one.
    rte_atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (sleeping_.load(std::memory_order_relaxed)) [[unlikely]]  // A worker with frames is awake.
      ring_aloud();
  }

  // The worker. Between listen() and sleeping it looks at everything once more.
  void listen() noexcept {
    sleeping_.store(true, std::memory_order_relaxed);
    rte_atomic_thread_fence(__ATOMIC_SEQ_CST);  // Its partner is in ring().
  }
  void stop_listening() noexcept { sleeping_.store(false, std::memory_order_relaxed); }
  // Readable once it rang; -1: there are no descriptors left, and nobody is woken.
  int descriptor() const noexcept { return eventfd_.get(); }
  // Makes it silent again.
  void hush() noexcept;

 private:
  void ring_aloud() noexcept;

  // A line of its own: read by whoever hands over, written when the worker sleeps or wakes.
  alignas(64) std::atomic<bool> sleeping_{false};
  base::Descriptor eventfd_;
};

}  // namespace dp
