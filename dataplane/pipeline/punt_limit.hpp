// SPDX-License-Identifier: Apache-2.0
// How many frames of each port a worker hands to the housekeeper: a flood at one port keeps neither
// that thread busy nor the others' frames away. Those to a group (questions, whatever anybody tells
// everybody) and those to one host (answers to us) have budgets of their own, so that no flood of
// the former keeps the latter away. Looked at for such frames only.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/contract/limits.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace dp {

class PuntLimit {
 public:
  struct Budget {
    std::uint32_t per_second;
    std::uint32_t burst;  // At once.
  };
  // Together below the 12,800 a second and worker that the housekeeper takes at least (64 every
  // 5 ms). It answers 1,000 questions a second and asks as many, so both are more than it needs.
  static constexpr Budget to_group{.per_second = 4'000, .burst = 64};
  static constexpr Budget to_host{.per_second = 8'000, .burst = 128};

  explicit PuntLimit(std::uint64_t cycles_per_second) noexcept
      : groups_(to_group, cycles_per_second), hosts_(to_host, cycles_per_second) {}

  // False: too many of this kind at this port lately.
  bool take(base::PortId port, bool is_to_group, std::uint64_t now_cycles) noexcept {
    return is_to_group ? groups_.take(port, now_cycles) : hosts_.take(port, now_cycles);
  }

 private:
  // Token buckets, each as the time at which it is full again (GCRA).
  class Buckets {
   public:
    Buckets(const Budget& budget, std::uint64_t cycles_per_second) noexcept
        : interval_(std::max<std::uint64_t>(cycles_per_second / budget.per_second, 1)),
          tolerance_(interval_ * (budget.burst - 1)) {}

    bool take(base::PortId port, std::uint64_t now) noexcept {
      std::uint64_t& full_at = full_at_[port.value];
      const std::uint64_t before = std::max(full_at, now);
      if (before - now > tolerance_) return false;
      full_at = before + interval_;
      return true;
    }

   private:
    std::uint64_t interval_;   // Cycles between two frames at the budget's rate.
    std::uint64_t tolerance_;  // Cycles that a full bucket takes to fill, less one frame's.
    std::array<std::uint64_t, contract::port_count_max> full_at_{};
  };

  Buckets groups_;
  Buckets hosts_;
};

}  // namespace dp
