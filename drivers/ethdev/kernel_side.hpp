// SPDX-License-Identifier: Apache-2.0
// The kernel's side of a port, of which DPDK's counters know nothing: frames that the kernel
// dropped because the queue of a TAP or the ring of a packet socket was full, and the link of a
// TAP, also where the interface was moved to another network namespace. Port thread only.
#pragma once

#include <cstdint>
#include <net/if.h>
#include <optional>
#include <string>
#include <vector>

namespace dp {

// A TAP through a descriptor that its driver holds: it stays the same interface when that is
// renamed or moved.
class TapInterface {
 public:
  struct State {
    bool up;
    bool gone;  // Somebody has deleted it.
    // Frames that did not find room in the TAP's queue, since it exists. Unknown where this
    // process has no right to look for it, as it may be in another namespace.
    std::optional<std::uint64_t> dropped;
  };

  // The driver closes the descriptor, after this.
  explicit TapInterface(int descriptor) noexcept : descriptor_(descriptor) {}
  // nullopt where this process holds no TAP of that name.
  static std::optional<TapInterface> find(const std::string& name);
  // nullopt where the interface cannot be asked.
  std::optional<State> state() const noexcept;

  // False with errno where the kernel refuses.
  bool set_mtu(std::uint16_t mtu) const noexcept;
  bool set_up() const noexcept;
  // 0 where it cannot be asked.
  std::uint16_t mtu() const noexcept;
  // What it is then.
  std::uint16_t set_queue_length(std::uint16_t frames) const noexcept;

 private:
  // Asks or tells the kernel `what` of the interface, wherever it is.
  bool ask(unsigned long what, ifreq& request) const noexcept;

  int descriptor_;  // Owned by the driver.
};

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
