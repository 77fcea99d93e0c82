// SPDX-License-Identifier: Apache-2.0
// First in, first out, in several lists: blocks of frames from one store, the one freed last first,
// so that a short queue stays in the cache whatever passes through it.
// One thread's: the home worker's.
#pragma once

#include "dataplane/contract/limits.hpp"
#include "dataplane/queue/queued_frame.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace dp {

class FrameFifos {
 public:
  // Of each traffic class eight.
  static constexpr unsigned list_count = 8 * contract::traffic_class_count;
  // Of one list: 32 MiB of 1 KiB frames.
  static constexpr std::uint32_t frames_max = 32 * 1024;

  // For `total_max` frames, which the caller keeps. The memory is taken when it is first used.
  explicit FrameFifos(std::uint32_t total_max);

  std::uint32_t size(unsigned list) const noexcept { return fifos_[list].size; }
  std::uint32_t total() const noexcept { return total_; }
  // As many of them as it has room for; says how many.
  std::uint32_t push(unsigned list, std::span<const QueuedFrame> frames) noexcept {
    Fifo& fifo = fifos_[list];
    const auto taken =
        static_cast<std::uint32_t>(std::min<std::size_t>(frames.size(), frames_max - fifo.size));
    for (std::uint32_t pushed = 0; pushed < taken;) {
      if (fifo.last == no_block || fifo.end == block_frames) [[unlikely]]  // Once in a block.
        add_block(fifo);
      const std::uint32_t count = std::min(taken - pushed, block_frames - fifo.end);
      std::ranges::copy(frames.subspan(pushed, count),
                        blocks_[fifo.last].frames.begin() + fifo.end);
      fifo.end += count;
      pushed += count;
    }
    fifo.size += taken;
    total_ += taken;
    return taken;
  }
  // The first of them, as many as lie side by side; of an empty one none.
  std::span<const QueuedFrame> front(unsigned list) const noexcept {
    const Fifo& fifo = fifos_[list];
    if (fifo.size == 0) return {};
    const std::uint32_t count = std::min(fifo.size, block_frames - fifo.begin);
    return std::span(blocks_[fifo.first].frames).subspan(fifo.begin, count);
  }
  // The first `count`, no more than front() gave.
  void pop(unsigned list, std::uint32_t count) noexcept {
    Fifo& fifo = fifos_[list];
    fifo.size -= count;
    total_ -= count;
    fifo.begin += count;
    if (count > 0 && (fifo.size == 0 || fifo.begin == block_frames)) free_first_block(fifo);
  }

 private:
  static constexpr std::uint32_t block_frames = 63;
  static constexpr std::uint32_t no_block = 0xffff'ffff;
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

  std::uint32_t block_count_;
  std::unique_ptr<Block[]> blocks_;
  std::uint32_t total_ = 0;
  std::uint32_t free_ = no_block;  // Freed ones, the last first.
  std::uint32_t fresh_ = 0;        // From here on none has been used.
  std::array<Fifo, list_count> fifos_;
};

}  // namespace dp
