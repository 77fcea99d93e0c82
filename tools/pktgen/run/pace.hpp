// SPDX-License-Identifier: Apache-2.0
// When the next burst is due. Sleeping a little too long is made up for by the next bursts, up to a
// limit: who was kept away for longer must not flood the port afterwards.
#pragma once

#include "tools/pktgen/profile/model.hpp"
#include "tools/pktgen/roce/stamp.hpp"

#include <algorithm>
#include <cstdint>

namespace pktgen {

class Pace {
 public:
  static constexpr Time catch_up = 10 * ps_per_ms;
  static constexpr Time catch_up_frames = 256;  // Fewer than the smallest ring of a port has.

  Pace(const RateProfile& rate, Time now) noexcept
      : ps_per_frame_(rate.frames_per_second != 0 ? static_cast<double>(ps_per_s) /
                                                        static_cast<double>(rate.frames_per_second)
                                                  : 0),
        ps_per_byte_(rate.bits_per_second != 0 ? 8.0 * static_cast<double>(ps_per_s) /
                                                     static_cast<double>(rate.bits_per_second)
                                               : 0),
        due_(now) {}

  bool is_limited() const noexcept { return ps_per_frame_ + ps_per_byte_ > 0; }
  bool is_due(Time now) const noexcept { return static_cast<std::int64_t>(now - due_) >= 0; }
  Time due() const noexcept { return due_; }

  void sent(std::uint64_t frames, std::uint64_t bytes, Time now) noexcept {
    if (!is_limited()) {
      due_ = now;
      return;
    }
    fraction_ +=
        static_cast<double>(frames) * ps_per_frame_ + static_cast<double>(bytes) * ps_per_byte_;
    const auto whole = static_cast<Time>(fraction_);
    fraction_ -= static_cast<double>(whole);
    due_ += whole;
    const auto behind = static_cast<std::int64_t>(now - due_);
    const Time most = std::min(catch_up, whole / frames * catch_up_frames);
    const auto limit = static_cast<std::int64_t>(std::max(most, whole));
    if (behind > limit) {
      late_ += static_cast<Time>(behind - limit);
      due_ += static_cast<Time>(behind - limit);
    }
  }
  Time late() const noexcept { return late_; }

 private:
  double ps_per_frame_;
  double ps_per_byte_;
  Time due_;
  double fraction_ = 0;
  Time late_ = 0;
};

}  // namespace pktgen
