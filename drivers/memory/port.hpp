// SPDX-License-Identifier: Apache-2.0
// A port made of arrays, for tests and replay: what is queued is received, what is sent is kept.
// The test fills and empties it while no worker uses the queue, or from the worker's own thread.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/packet/batch.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

namespace dp {

class MemoryPort {
 public:
  // `tx_room`: frames that each tx queue takes before it refuses, to test full rings.
  explicit MemoryPort(std::uint16_t queue_count, std::size_t tx_room = SIZE_MAX)
      : queues_(queue_count), tx_room_(tx_room) {}
  ~MemoryPort() {
    for (Queue& queue : queues_) {
      for (rte_mbuf* mbuf : queue.waiting) rte_pktmbuf_free(mbuf);
      for (rte_mbuf* mbuf : queue.sent) rte_pktmbuf_free(mbuf);
    }
  }
  MemoryPort(MemoryPort&&) = default;
  MemoryPort& operator=(MemoryPort&&) = delete;

  // The tester's side. offer() takes ownership, take_sent() gives it.
  void offer(base::QueueId queue, rte_mbuf* mbuf) { queues_[queue.value].waiting.push_back(mbuf); }
  std::vector<rte_mbuf*> take_sent(base::QueueId queue) {
    return std::exchange(queues_[queue.value].sent, {});
  }

  // The worker's side.
  void receive(base::QueueId queue, Batch& batch) noexcept {
    auto& waiting = queues_[queue.value].waiting;
    const auto count = std::min<std::size_t>(waiting.size(), burst_max);
    std::copy_n(waiting.begin(), count, batch.receive_into());
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(count));
    batch.received(static_cast<std::uint16_t>(count));
  }
  std::uint16_t send(base::QueueId queue, std::span<rte_mbuf*> frames) noexcept {
    auto& sent = queues_[queue.value].sent;
    const std::size_t count = std::min(frames.size(), tx_room_ - std::min(tx_room_, sent.size()));
    sent.insert(sent.end(), frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(count));
    return static_cast<std::uint16_t>(count);
  }
  int wake_descriptor(base::QueueId) const noexcept { return -1; }
  bool finish_sending(base::QueueId) const noexcept { return true; }

 private:
  struct Queue {
    std::deque<rte_mbuf*> waiting;
    std::vector<rte_mbuf*> sent;
  };
  std::vector<Queue> queues_;
  std::size_t tx_room_;
};

}  // namespace dp
