// SPDX-License-Identifier: Apache-2.0
// The clock of stamps and of pacing: CLOCK_MONOTONIC, which all processes of a machine share, or
// CLOCK_REALTIME for two machines that PTP keeps together. Not the processor's counter itself:
// each process measures its frequency anew, and stamps of another would be seconds off. A simulated
// one stands still until it is told to go on.
#pragma once

#include "tools/pktgen/roce/stamp.hpp"

#include <array>
#include <cstdint>
#include <ctime>
#include <string_view>

namespace pktgen {

enum class ClockSource : std::uint8_t { monotonic, realtime, simulated };
// Those that an operator may choose.
inline constexpr std::array<std::string_view, 2> clock_words{"monotonic", "realtime"};

class Clock {
 public:
  explicit Clock(ClockSource source) noexcept : source_(source) {}

  // Wraps (CLOCK_REALTIME has wrapped often); differences are right.
  Time now() const noexcept {
    if (source_ == ClockSource::simulated) return simulated_;
    timespec time{};
    ::clock_gettime(source_ == ClockSource::monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME, &time);
    return static_cast<Time>(time.tv_sec) * ps_per_s + static_cast<Time>(time.tv_nsec) * ps_per_ns;
  }
  // Only of a simulated one.
  void advance(Time time) noexcept { simulated_ += time; }

  std::string_view name() const noexcept {
    switch (source_) {
      case ClockSource::monotonic: return "CLOCK_MONOTONIC";
      case ClockSource::realtime: return "CLOCK_REALTIME";
      case ClockSource::simulated: return "simulated";
    }
    __builtin_unreachable();
  }

 private:
  ClockSource source_;
  Time simulated_ = ps_per_s;
};

}  // namespace pktgen
