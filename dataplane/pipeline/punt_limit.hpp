// SPDX-License-Identifier: Apache-2.0
// How many frames of each port a worker hands to the housekeeper: a flood at one port neither
// keeps that thread busy nor takes the ring from the others. Looked at for punted frames only.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/contract/limits.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace dp {

class PuntLimit {
 public:
  // Some 2 % of the housekeeper's time per port and worker, at about 1 us each; a gateway with a
  // thousand next hops has all their answers within 50 ms.
  static constexpr std::uint32_t frames_per_second = 20'000;
  // Half of the ring, so that another port always finds room in it.
  static constexpr std::uint32_t burst_frames = 128;

  explicit PuntLimit(std::uint64_t cycles_per_second) noexcept
      : frame_cycles_(std::max<std::uint64_t>(cycles_per_second / frames_per_second, 1)) {}

  // False: too many of this port lately.
  bool take(base::PortId port, std::uint64_t now_cycles) noexcept {
    Bucket& bucket = buckets_[port.value];
    const std::uint64_t most = frame_cycles_ * burst_frames;
    bucket.saved_cycles = std::min(most, bucket.saved_cycles + (now_cycles - bucket.last_cycles));
    bucket.last_cycles = now_cycles;
    if (bucket.saved_cycles < frame_cycles_) return false;
    bucket.saved_cycles -= frame_cycles_;
    return true;
  }

 private:
  struct Bucket {
    std::uint64_t saved_cycles = 0;  // Since cycle 0, which is long ago: full at the first use.
    std::uint64_t last_cycles = 0;
  };

  std::uint64_t frame_cycles_;
  std::array<Bucket, contract::port_count_max> buckets_{};
};

}  // namespace dp
