// SPDX-License-Identifier: Apache-2.0
// A point in time that outlives the process, and is right even if somebody sets the clock: the
// kernel's time since boot, which counts sleep too; the wall clock only after another boot.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cp {

struct Clocks {
  std::string boot;          // Which boot of the kernel this is.
  std::int64_t boot_ms = 0;  // Since then.
  std::int64_t wall_ms = 0;  // Since 1970.

  static Clocks now();
};

struct Deadline {
  Clocks at;
  std::int64_t window_ms = 0;  // How far ahead it was when it was made.

  friend bool operator==(const Deadline& left, const Deadline& right) noexcept {
    return left.at.boot == right.at.boot && left.at.boot_ms == right.at.boot_ms &&
           left.at.wall_ms == right.at.wall_ms && left.window_ms == right.window_ms;
  }
};

Deadline deadline_in(std::chrono::milliseconds window, Clocks now = Clocks::now());

// Until then; zero once it has passed. After another boot never more than the whole window,
// whatever the clock says.
std::chrono::milliseconds time_left(const Deadline& deadline, const Clocks& now = Clocks::now());

}  // namespace cp
