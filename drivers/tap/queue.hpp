// SPDX-License-Identifier: Apache-2.0
// One queue of a TAP: a descriptor that gives and takes a frame per system call, behind a
// virtio_net_hdr. The kernel leaves checksums and segmentation to us, as it would to a NIC:
// checksums are finished here, large frames are marked for the pipeline to cut.
// One worker receives; any may send, as the kernel sorts out who writes at once.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/packet/batch.hpp"
#include "drivers/tap/virtio_header.hpp"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <sys/uio.h>
#include <vector>

namespace dp {

class TapQueue {
 public:
  // Frames that this side refused.
  struct Losses {
    std::uint64_t rx_invalid;
    std::uint64_t tx_refused;
  };

  // `pool` outlives it.
  TapQueue(base::Descriptor descriptor, rte_mempool& pool);
  ~TapQueue();
  TapQueue(const TapQueue&) = delete;
  TapQueue& operator=(const TapQueue&) = delete;

  int descriptor() const noexcept { return descriptor_.get(); }
  Losses losses() const noexcept;

  // Workers.
  void receive(Batch& batch) noexcept;
  std::uint16_t send(std::span<rte_mbuf*> frames) noexcept;

 private:
  enum class Sent : std::uint8_t { yes, refused, not_now };

  bool refill() noexcept;
  rte_mbuf* read_frame(bool& more) noexcept;
  rte_mbuf* chain_up(std::uint32_t bytes) noexcept;
  bool take_orders(rte_mbuf& frame) const noexcept;
  Sent write_frame(const rte_mbuf& frame) const noexcept;
  Sent write_short_chain(rte_mbuf*& frame) noexcept;

  base::Descriptor descriptor_;
  rte_mempool& pool_;

  // The receiving worker's: room for the largest frame, header first. The first missing_ buffers of
  // spare_ went with the frame before. A line of its own: senders read what stands before.
  alignas(64) VirtioHeader header_{};
  std::vector<rte_mbuf*> spare_;
  std::vector<iovec> room_;
  std::uint16_t missing_;

  // Read by the port thread.
  std::atomic<std::uint64_t> rx_invalid_ = 0;
  alignas(64) std::atomic<std::uint64_t> tx_refused_ = 0;
};

}  // namespace dp
