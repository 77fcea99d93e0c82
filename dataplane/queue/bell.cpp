// SPDX-License-Identifier: Apache-2.0
#include "dataplane/queue/bell.hpp"

#include <cstdint>
#include <sys/eventfd.h>
#include <unistd.h>

namespace dp {

Bell::Bell() noexcept : eventfd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Bell::ring_aloud() noexcept {
  // The first of several is enough. Relaxed: what it shall find is ordered by the fences.
  if (!sleeping_.exchange(false, std::memory_order_relaxed)) return;
  constexpr std::uint64_t once = 1;
  // Fails only where it rings already.
  (void)!::write(eventfd_.get(), &once, sizeof once);
}

void Bell::hush() noexcept {
  std::uint64_t times = 0;
  (void)!::read(eventfd_.get(), &times, sizeof times);  // Nothing to read: it did not ring.
}

}  // namespace dp
