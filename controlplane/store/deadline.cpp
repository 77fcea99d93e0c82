// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/deadline.hpp"

#include <algorithm>
#include <ctime>
#include <fstream>

namespace cp {
namespace {

std::int64_t read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

// Empty where the kernel does not say: then every look is at the wall clock.
std::string read_boot() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  return boot;
}

}  // namespace

Clocks Clocks::now() {
  static const std::string boot = read_boot();
  return {
      .boot = boot, .boot_ms = read_clock(CLOCK_BOOTTIME), .wall_ms = read_clock(CLOCK_REALTIME)};
}

Deadline deadline_in(std::chrono::milliseconds window, Clocks now) {
  now.boot_ms += window.count();
  now.wall_ms += window.count();
  return {.at = std::move(now), .window_ms = window.count()};
}

std::chrono::milliseconds time_left(const Deadline& deadline, const Clocks& now) {
  const bool same_boot = !now.boot.empty() && deadline.at.boot == now.boot;
  const std::int64_t left =
      same_boot ? deadline.at.boot_ms - now.boot_ms : deadline.at.wall_ms - now.wall_ms;
  return std::chrono::milliseconds(std::clamp<std::int64_t>(left, 0, deadline.window_ms));
}

}  // namespace cp
