// SPDX-License-Identifier: Apache-2.0
// The packet side of a port that is a started DPDK device. Opening and closing stand in device.hpp.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/packet/batch.hpp"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <cstdint>
#include <span>

namespace dp {

class EthdevPort {
 public:
  static constexpr std::uint16_t any_segments = UINT16_MAX;

  explicit EthdevPort(std::uint16_t dpdk_port) noexcept : dpdk_port_(dpdk_port) {}

  // Frames in more buffers than that are copied into fewer of `pool`, which outlives the port. Set
  // before any worker uses it.
  void limit_segments(std::uint16_t segments_max, rte_mempool& pool) noexcept {
    segments_max_ = segments_max;
    pool_ = &pool;
  }

  void receive(base::QueueId queue, Batch& batch) noexcept {
    batch.received(rte_eth_rx_burst(dpdk_port_, queue.value, batch.receive_into(), burst_max));
  }

  std::uint16_t send(base::QueueId queue, std::span<rte_mbuf*> frames) noexcept {
    if (segments_max_ != any_segments) frames = shorten_chains(frames);
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

  int wake_descriptor(base::QueueId) const noexcept { return -1; }
  bool finish_sending(base::QueueId) const noexcept { return true; }

  std::uint16_t dpdk_port() const noexcept { return dpdk_port_; }

 private:
  // The first frames, as many as the device can take: all, unless the pool is empty.
  std::span<rte_mbuf*> shorten_chains(std::span<rte_mbuf*> frames) noexcept {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (frames[i]->nb_segs <= segments_max_) continue;
      rte_mbuf* copy = rte_pktmbuf_copy(frames[i], pool_, 0, UINT32_MAX);
      if (copy == nullptr || copy->nb_segs > segments_max_) {
        rte_pktmbuf_free(copy);
        return frames.first(i);
      }
      rte_pktmbuf_free(frames[i]);
      frames[i] = copy;
    }
    return frames;
  }

  std::uint16_t dpdk_port_;
  std::uint16_t segments_max_ = any_segments;
  rte_mempool* pool_ = nullptr;
};

}  // namespace dp
