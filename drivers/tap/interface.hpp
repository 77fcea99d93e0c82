// SPDX-License-Identifier: Apache-2.0
// The kernel's side of a TAP, known by one of its descriptors: it stays the same interface when it
// is renamed or moved to another network namespace. What takes privilege is weir-porthelper's.
// Port thread only.
#pragma once

#include "dataplane/base/error.hpp"
#include "drivers/helper/client.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace dp {

class TapInterface {
 public:
  struct State {
    bool up;
    bool gone;  // Somebody has deleted it.
    // Frames that did not find room in the TAP's queue, since it exists: as of up to a second ago,
    // and no more are seen once the helper has ended.
    std::uint64_t dropped;
  };

  // In this namespace now. Its owner closes the descriptor, after this; `helper` outlives it.
  TapInterface(int descriptor, PortHelper& helper);
  // That of a driver of DPDK; nullopt where this process holds no TAP of that name.
  static std::optional<TapInterface> find(const std::string& name, PortHelper& helper);

  unsigned ifindex() const noexcept { return ifindex_; }
  State state() noexcept;
  // Anywhere.
  base::Status set_mtu(std::uint16_t mtu);

 private:
  int descriptor_;
  PortHelper* helper_;
  unsigned ifindex_;  // Here; another namespace may give it another.
  std::uint64_t dropped_ = 0;
  std::chrono::steady_clock::time_point ask_next_{};
};

}  // namespace dp
