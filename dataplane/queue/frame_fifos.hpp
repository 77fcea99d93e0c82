// SPDX-License-Identifier: Apache-2.0
// First in, first out, for each traffic class of a port: blocks of frames from one store, the one
// freed last first, so that a short queue stays in the cache whatever passes through it.
// One thread's: the home worker's.
#pragma once

#include "dataplane/contract/limits.hpp"
#include "dataplane/queue/queued_frame.hpp"

#include <rte_prefetch.h>

#include <array>
#include <cstdint>
#include <memory>

namespace dp {

class FrameFifos {
 public:
  // Of one class: 32 MiB of 1 KiB frames. The memory is taken when it is first used.
  static constexpr std::uint32_t frames_max = 32 * 1024;

  FrameFifos();

  std::uint32_t size(unsigned traffic_class) const noexcept { return fifos_[traffic_class].size; }
  std::uint32_t total() const noexcept { return total_; }
  // False: it holds frames_max.
  bool push(unsigned traffic_class, const QueuedFrame& frame) noexcept {
    Fifo& fifo = fifos_[traffic_class];
    if (fifo.size == frames_max) [[unlikely]]
      return false;
    // Once in a block.
    if (fifo.last == no_block || fifo.end == block_frames) [[unlikely]]
      add_block(fifo);
    blocks_[fifo.last].frames[fifo.end++] = frame;
    ++fifo.size;
    ++total_;
    return true;
  }
  // Not empty.
  const QueuedFrame& front(unsigned traffic_class) const noexcept {
    const Fifo& fifo = fifos_[traffic_class];
    return blocks_[fifo.first].frames[fifo.begin];
  }
  void pop(unsigned traffic_class) noexcept {
    Fifo& fifo = fifos_[traffic_class];
    --fifo.size;
    --total_;
    ++fifo.begin;
    if (fifo.size == 0 || fifo.begin == block_frames) [[unlikely]]  // Once in a block.
      free_first_block(fifo);
  }
  // Asks for the headers of a frame that leaves soon.
  void prefetch(unsigned traffic_class, std::uint32_t ahead) const noexcept {
    const Fifo& fifo = fifos_[traffic_class];
    const std::uint32_t place = fifo.begin + ahead;
    if (ahead >= fifo.size || place >= block_frames) return;
    const QueuedFrame& frame = blocks_[fifo.first].frames[place];
    rte_prefetch0(rte_pktmbuf_mtod(frame.mbuf, const std::uint8_t*));
  }

 private:
  static constexpr std::uint32_t block_frames = 63;
  static constexpr std::uint32_t no_block = 0xffff'ffff;
  // One block of each class is only partly full at either end.
  static constexpr std::uint32_t block_count =
      contract::traffic_class_count * (frames_max / block_frames + 2);

  struct Block {
    std::array<QueuedFrame, block_frames> frames;
    std::uint32_t next;
    std::uint32_t reserved[3];
  };
  static_assert(sizeof(Block) == 1024);

  struct Fifo {
    std::uint32_t first = no_block;
    std::uint32_t last = no_block;
    std::uint32_t begin = 0;  // In the first block.
    std::uint32_t end = 0;    // In the last one.
    std::uint32_t size = 0;
  };

  std::uint32_t take_block() noexcept;
  void add_block(Fifo& fifo) noexcept;
  void free_first_block(Fifo& fifo) noexcept;

  std::unique_ptr<Block[]> blocks_;
  std::uint32_t total_ = 0;
  std::uint32_t free_ = no_block;  // Freed ones, the last first.
  std::uint32_t fresh_ = 0;        // From here on none has been used.
  std::array<Fifo, contract::traffic_class_count> fifos_;
};

}  // namespace dp
