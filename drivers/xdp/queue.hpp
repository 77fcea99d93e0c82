// SPDX-License-Identifier: Apache-2.0
// One receive and transmit queue of an interface: an AF_XDP socket with its four rings. Its memory
// is the packet pool (memory.hpp): buffers go into the fill ring and come back with frames in them
// through the rx ring; frames go into the tx ring and come back through the completion ring.
// One worker receives, one sends (or several in turn, which then lock); the port thread opens,
// asks and closes.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/packet/batch.hpp"
#include "drivers/xdp/device_string.hpp"
#include "drivers/xdp/memory.hpp"
#include "drivers/xdp/ring.hpp"

#include <rte_spinlock.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

namespace dp {

class XdpQueue {
 public:
  struct Config {
    unsigned ifindex;
    std::uint16_t queue;
    std::uint16_t rx_descriptors;
    std::uint16_t tx_descriptors;
    XdpCopy copy;
    bool several_senders;  // More workers than queues.
    bool busy_poll;        // The worker that finds no frame lets the kernel look for some.
  };
  // As the kernel counts them (XDP_STATISTICS), and what this side refused.
  struct Losses {
    std::uint64_t rx_ring_full;
    std::uint64_t rx_fill_empty;
    std::uint64_t rx_too_long;
    std::uint64_t rx_invalid;
    std::uint64_t tx_refused;
    std::uint64_t unfinished;  // Dropped (unfinished_checksum.hpp).
  };

  // `socket`: weir-porthelper's, with the memory registered.
  static base::Result<std::unique_ptr<XdpQueue>> open(const XdpMemory& memory, const Config& config,
                                                      base::Descriptor socket);
  // No worker uses it any more.
  ~XdpQueue();
  XdpQueue(const XdpQueue&) = delete;
  XdpQueue& operator=(const XdpQueue&) = delete;

  int socket() const noexcept { return socket_.get(); }
  bool is_zero_copy() const noexcept { return zero_copy_; }
  Losses losses() const noexcept;

  // Workers.
  void receive(Batch& batch) noexcept;
  std::uint16_t send(std::span<rte_mbuf*> frames) noexcept;
  // As in drivers/port.hpp. None where the kernel lacks buffers, or shall be asked.
  int wake_descriptor() const noexcept {
    return buffers_missing_ == 0 && !config_.busy_poll ? socket_.get() : -1;
  }
  bool finish_sending() noexcept;

 private:
  // Ring memory mapped from the socket.
  class Map {
   public:
    Map() = default;
    ~Map();
    Map(const Map&) = delete;
    Map& operator=(const Map&) = delete;
    base::Status make(int socket, std::uint64_t bytes, std::uint64_t offset);
    std::byte* data = nullptr;

   private:
    std::uint64_t bytes_ = 0;
  };

  XdpQueue(const XdpMemory& memory, const Config& config, base::Descriptor socket) noexcept;
  base::Status set_up();
  base::Status make_rings();
  base::Status map_rings();
  base::Status bind();
  bool fill(std::uint32_t count) noexcept;
  void reclaim() noexcept;
  std::uint16_t without_unfinished(std::span<rte_mbuf*> frames) noexcept;
  rte_mbuf* sendable(rte_mbuf* frame) noexcept;
  std::uint16_t send_alone(std::span<rte_mbuf*> frames) noexcept;
  void kick() noexcept;
  void return_buffers() noexcept;

  XdpMemory memory_;
  Config config_;
  // mbuf::port of each buffer that the kernel holds for this queue: at the end they are found by
  // it. No number of a DPDK port.
  std::uint16_t mark_;
  base::Descriptor socket_;
  bool zero_copy_ = false;
  std::array<Map, 4> maps_;

  // The receiving worker's. A line of its own, like the sending worker's: they may be two.
  alignas(64) XdpRing<xdp_desc> rx_;
  XdpRing<std::uint64_t> fill_;
  std::uint32_t buffers_missing_ = 0;  // In the kernel's hands there should be so many more.
  std::atomic<std::uint64_t> unfinished_ = 0;
  // The sending worker's.
  alignas(64) XdpRing<xdp_desc> tx_;
  XdpRing<std::uint64_t> completion_;
  rte_spinlock_t senders_ = RTE_SPINLOCK_INITIALIZER;  // Only with several_senders.
  std::atomic<std::uint64_t> refused_ = 0;             // Frames longer than a chunk.
  // Set by the sender where the kernel left frames in the ring; the receiver tries again.
  alignas(64) std::atomic<bool> kick_again_ = false;
};

}  // namespace dp
