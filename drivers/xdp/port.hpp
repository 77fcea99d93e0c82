// SPDX-License-Identifier: Apache-2.0
// The packet side of a port that is a kernel's interface with XDP sockets. Opening and closing
// stand in device.hpp.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/packet/batch.hpp"
#include "drivers/xdp/queue.hpp"

#include <cstdint>
#include <memory>
#include <span>

namespace dp {

class XdpPort {
 public:
  // The device owns the queues, and outlives the port.
  explicit XdpPort(std::span<const std::unique_ptr<XdpQueue>> queues) noexcept : queues_(queues) {}

  void receive(base::QueueId queue, Batch& batch) noexcept { queues_[queue.value]->receive(batch); }
  // `queue` is the worker's; workers that are more than the queues share them.
  std::uint16_t send(base::QueueId queue, std::span<rte_mbuf*> frames) noexcept {
    return queues_[queue.value % queues_.size()]->send(frames);
  }
  int wake_descriptor(base::QueueId queue) const noexcept {
    return queues_[queue.value]->wake_descriptor();
  }
  bool finish_sending(base::QueueId queue) noexcept {
    return queues_[queue.value % queues_.size()]->finish_sending();
  }

 private:
  std::span<const std::unique_ptr<XdpQueue>> queues_;
};

}  // namespace dp
