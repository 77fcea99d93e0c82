// SPDX-License-Identifier: Apache-2.0
#include "dataplane/queue/frame_fifos.hpp"

#include "dataplane/base/check.hpp"

namespace dp {

// One block of each list is only partly full at either end.
FrameFifos::FrameFifos(std::uint32_t total_max)
    : block_count_(total_max / block_frames + 2 * list_count),
      blocks_(std::make_unique_for_overwrite<Block[]>(block_count_)) {}

std::uint32_t FrameFifos::take_block() noexcept {
  if (free_ != no_block) {
    const std::uint32_t block = free_;
    free_ = blocks_[block].next;
    return block;
  }
  CHECK(fresh_ < block_count_);
  return fresh_++;
}

void FrameFifos::add_block(Fifo& fifo) noexcept {
  const std::uint32_t block = take_block();
  if (fifo.last == no_block) {
    fifo.first = block;
    fifo.begin = 0;
  } else {
    blocks_[fifo.last].next = block;
  }
  fifo.last = block;
  fifo.end = 0;
}

void FrameFifos::free_first_block(Fifo& fifo) noexcept {
  const std::uint32_t block = fifo.first;
  fifo.first = fifo.size > 0 ? blocks_[block].next : no_block;
  if (fifo.size == 0) fifo.last = no_block;
  fifo.begin = 0;
  blocks_[block].next = free_;
  free_ = block;
}

}  // namespace dp
