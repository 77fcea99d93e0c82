// SPDX-License-Identifier: Apache-2.0
// How soon a program that died is started again, and when it is no longer started as before. Pure:
// times come from the caller.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace supervisor {

class CrashLoop {
 public:
  using Time = std::chrono::milliseconds;

  struct Config {
    Time young{5'000};         // A death so soon after READY=1, or before it, is an early one.
    std::uint32_t deaths = 8;  // So many early ones in a row end in the safe mode; 0: never.
    Time delay_first{100};     // From the third early death on, doubled by each.
    Time delay_max{5'000};
  };
  struct Next {
    Time delay{0};
    bool safe_mode = false;
  };

  explicit CrashLoop(const Config& config) : config_(config) {}

  // `in_force`: how long it was, since it said so; none: it never said so.
  Next died(std::optional<Time> in_force) {
    early_ = in_force && *in_force >= config_.young ? 0 : early_ + 1;
    if (config_.deaths > 0 && early_ >= config_.deaths) return {.safe_mode = true};
    if (early_ <= free_of_delay) return {};
    const std::uint32_t doublings = std::min(early_ - free_of_delay - 1, std::uint32_t{16});
    return {.delay = std::min(config_.delay_first * (1 << doublings), config_.delay_max)};
  }
  // Somebody has looked into it.
  void forget() { early_ = 0; }
  std::uint32_t early_deaths() const { return early_; }

 private:
  // The first two may have been one accident, and frames are waiting.
  static constexpr std::uint32_t free_of_delay = 2;

  Config config_;
  std::uint32_t early_ = 0;
};

}  // namespace supervisor
