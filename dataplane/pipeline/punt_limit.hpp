// SPDX-License-Identifier: Apache-2.0
// How many frames of each port a worker hands to the housekeeper: a flood at one port keeps neither
// that thread busy nor the others' frames away. Those to a group (questions, whatever anybody tells
// everybody) and those to one host (answers to us) have budgets of their own, so that no flood of
// the former keeps the latter away. Looked at for such frames only.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/contract/limits.hpp"
#include "dataplane/pipeline/rate_limit.hpp"

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
      : groups_(to_group.per_second, to_group.burst, cycles_per_second),
        hosts_(to_host.per_second, to_host.burst, cycles_per_second) {}

  // False: too many of this kind at this port lately.
  bool take(base::PortId port, bool is_to_group, std::uint64_t now_cycles) noexcept {
    return is_to_group ? groups_.take(groups_full_at_[port.value], now_cycles)
                       : hosts_.take(hosts_full_at_[port.value], now_cycles);
  }

 private:
  using Buckets = std::array<std::uint64_t, contract::port_count_max>;

  RateLimit groups_;
  RateLimit hosts_;
  Buckets groups_full_at_{};
  Buckets hosts_full_at_{};
};

}  // namespace dp
