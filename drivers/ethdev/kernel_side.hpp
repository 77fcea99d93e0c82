// SPDX-License-Identifier: Apache-2.0
// The kernel's side of a port, of which DPDK's counters know nothing: frames that the kernel
// dropped because the ring of a packet socket was full. Port thread only. TAPs: drivers/tap.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dp {

// A Unix socket at which nobody listens, as a process leaves that was killed: nobody else could
// bind to it. Anything else at `path` stays.
void remove_stale_socket(const std::string& path) noexcept;

// The packet sockets that a device opened.
class PacketSockets {
 public:
  // All that the process holds now; what comes on top is the next device's.
  static std::vector<int> held();
  static PacketSockets since(const std::vector<int>& before);

  // Frames for which their rings had no room, since they were opened.
  std::uint64_t dropped() noexcept;

 private:
  std::vector<int> sockets_;  // Owned by the driver.
  std::uint64_t dropped_ = 0;
};

}  // namespace dp
