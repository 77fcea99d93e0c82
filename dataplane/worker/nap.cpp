// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/nap.hpp"

#include "dataplane/base/clock.hpp"

#include <ctime>

namespace dp {

Nap::Woken Nap::sleep(std::uint64_t ns) noexcept {
  const std::uint64_t started = base::monotonic_ns();
  const timespec duration{.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
                          .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
  // Interrupted, by net_tap's signals: frames are there.
  const int ready = ::ppoll(descriptors_.data(), count_, &duration, nullptr);
  slept_ns_ = base::monotonic_ns() - started;
  if (ready <= 0) return Woken::by_time;
  return descriptors_[0].revents != 0 ? Woken::by_bell : Woken::by_port;
}

}  // namespace dp
