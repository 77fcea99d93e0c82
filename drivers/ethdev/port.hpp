// SPDX-License-Identifier: Apache-2.0
// The packet side of a port that is a started DPDK device. Opening and closing stand in device.hpp.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/packet/batch.hpp"

#include <rte_ethdev.h>

#include <cstdint>
#include <span>

namespace dp {

class EthdevPort {
 public:
  explicit EthdevPort(std::uint16_t dpdk_port) noexcept : dpdk_port_(dpdk_port) {}

  void receive(base::QueueId queue, Batch& batch) noexcept {
    batch.received(rte_eth_rx_burst(dpdk_port_, queue.value, batch.receive_into(), burst_max));
  }

  std::uint16_t send(base::QueueId queue, std::span<rte_mbuf*> frames) noexcept {
    // A device may take a large burst in parts (net_tap stops at its own limit): go on while it
    // takes any. Bounded by the frames themselves.
    std::uint16_t sent = 0;
    while (sent < frames.size()) {
      const std::uint16_t taken =
          rte_eth_tx_burst(dpdk_port_, queue.value, frames.data() + sent,
                           static_cast<std::uint16_t>(frames.size() - sent));
      if (taken == 0) break;
      sent = static_cast<std::uint16_t>(sent + taken);
    }
    return sent;
  }

  std::uint16_t dpdk_port() const noexcept { return dpdk_port_; }

 private:
  std::uint16_t dpdk_port_;
};

}  // namespace dp
