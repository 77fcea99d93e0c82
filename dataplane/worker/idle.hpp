// SPDX-License-Identifier: Apache-2.0
// What a worker does when it finds nothing: spin a while, then sleep ever longer up to a limit, so
// that idle pollers leave their cores to others. The limit bounds the delay of the first frame.
#pragma once

#include <cstdint>
#include <ctime>

namespace dp {

struct IdlePolicy {
  bool sleep = true;  // false: spin for ever.
  std::uint32_t sleep_us_max = 200;
};

class Idle {
 public:
  explicit Idle(IdlePolicy policy) noexcept : policy_(policy) {}

  void found_frames() noexcept { empty_turns_ = 0; }

  // How long to sleep after one more empty turn, ns; 0: poll again at once.
  std::uint64_t next_sleep_ns() noexcept {
    if (!policy_.sleep) return 0;
    if (++empty_turns_ <= spin_turns) return 0;
    const std::uint32_t doublings = empty_turns_ - spin_turns - 1;
    const std::uint64_t ns_max = std::uint64_t{policy_.sleep_us_max} * 1000;
    // 10 turns from 1 us pass every sensible limit; the bound also keeps the shift defined.
    const std::uint64_t ns = doublings < 10 ? std::uint64_t{1000} << doublings : ns_max;
    return ns < ns_max ? ns : ns_max;
  }

 private:
  // Bursts come within microseconds of each other; 64 empty turns are some 10 us.
  static constexpr std::uint32_t spin_turns = 64;

  IdlePolicy policy_;
  std::uint32_t empty_turns_ = 0;
};

}  // namespace dp
