// SPDX-License-Identifier: Apache-2.0
// What a worker does when it finds nothing: spin a while, then sleep. Where all of its ports wake
// it (nap.hpp), until one does; else ever longer up to a limit, which bounds the delay of the first
// frame. Never for ever: what wakes in vain again and again is left for the clock.
#pragma once

#include "dataplane/worker/nap.hpp"

#include <cstdint>

namespace dp {

struct IdlePolicy {
  bool sleep = true;  // false: spin for ever.
  std::uint32_t sleep_us_max = 200;
};

class Idle {
 public:
  explicit Idle(IdlePolicy policy) noexcept : policy_(policy) {}

  void found_frames() noexcept { empty_turns_ = doublings_ = vain_wakes_ = 0; }
  void found_nothing() noexcept { ++empty_turns_; }
  // It may sleep after the next turn that finds nothing.
  bool is_tired() const noexcept { return policy_.sleep && empty_turns_ >= spin_turns; }

  // A port that is always readable and never has a frame, as one whose interface is gone, would
  // keep the worker from its sleep.
  bool trusts_ports() const noexcept { return vain_wakes_ < vain_wakes_max; }

  // How long to sleep. `woken`: by whatever it has to look at.
  std::uint64_t sleep_ns(bool woken) noexcept {
    if (woken) return woken_sleep_ns;
    const std::uint64_t ns_max = std::uint64_t{policy_.sleep_us_max} * 1000;
    const std::uint64_t ns = std::uint64_t{1000} << doublings_;
    if (ns >= ns_max) return ns_max;
    ++doublings_;
    return ns;
  }
  void woke(Nap::Woken by) noexcept {
    if (by == Nap::Woken::by_port) ++vain_wakes_;  // found_frames() takes it back.
    if (by != Nap::Woken::by_time) return;
    // Once in a while ports are given another chance.
    if (trusts_ports() || ++timed_sleeps_ % timed_sleeps_of_distrust == 0) vain_wakes_ = 0;
  }

 private:
  // Bursts come within microseconds of each other; 64 empty turns are some 10 us.
  static constexpr std::uint32_t spin_turns = 64;
  // Ten turns a second cost nothing, and the counters of a sleeping worker are that fresh.
  static constexpr std::uint64_t woken_sleep_ns = 100'000'000;
  // Several workers may wait for a frame that one gets, a few times in a row.
  static constexpr std::uint32_t vain_wakes_max = 8;
  static constexpr std::uint32_t timed_sleeps_of_distrust = 512;  // 100 ms of 200 us.

  IdlePolicy policy_;
  std::uint32_t empty_turns_ = 0;
  std::uint32_t doublings_ = 0;
  std::uint32_t vain_wakes_ = 0;
  std::uint32_t timed_sleeps_ = 0;
};

}  // namespace dp
