// SPDX-License-Identifier: Apache-2.0
// Frames that the kernel dropped on its side of a port, which DPDK's counters do not see: the queue
// of a TAP was full (the interface's tx drops), or the ring of a packet socket was.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dp {

class KernelLosses {
 public:
  // Sockets that the process holds before a device is opened; what comes on top is the device's.
  static std::vector<int> packet_sockets();

  KernelLosses() = default;
  // `interface` is the kernel's name; `sockets_before` from before the device was opened.
  static KernelLosses of_tap(const std::string& interface);
  static KernelLosses of_packet_sockets(const std::vector<int>& sockets_before);

  // Frames since this was made. Keeps its last answer where the interface cannot be asked any more.
  std::uint64_t poll() noexcept;

 private:
  std::string tap_;  // Empty: not a TAP.
  std::uint64_t tap_last_ = 0;
  std::vector<int> sockets_;  // Owned by the device's driver.
  std::uint64_t dropped_ = 0;
};

}  // namespace dp
