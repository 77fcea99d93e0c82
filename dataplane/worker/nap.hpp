// SPDX-License-Identifier: Apache-2.0
// A worker's sleep: until a time, its bell, or frames at a port that tells of them. The descriptors
// are collected anew each time, so that a port without sleepers costs its kernel nothing, and none
// is kept that is closed meanwhile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <poll.h>

namespace dp {

class Nap {
 public:
  enum class Woken : std::uint8_t { by_time, by_bell, by_port };

  void begin(int bell) noexcept {
    descriptors_[0] = {.fd = bell, .events = POLLIN, .revents = 0};
    count_ = 1;
  }
  // False: there is none (-1), or no room, and the port has to be looked at.
  bool watch(int descriptor) noexcept {
    if (descriptor < 0 || count_ == descriptors_.size()) return false;
    descriptors_[count_++] = {.fd = descriptor, .events = POLLIN, .revents = 0};
    return true;
  }
  Woken sleep(std::uint64_t ns) noexcept;
  std::uint64_t slept_ns() const noexcept { return slept_ns_; }

 private:
  std::array<pollfd, 129> descriptors_;  // The bell's and those of 128 rx queues.
  std::size_t count_ = 0;
  std::uint64_t slept_ns_ = 0;  // The last time.
};

}  // namespace dp
