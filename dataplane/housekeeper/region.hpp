// SPDX-License-Identifier: Apache-2.0
// The memory of the counter region: a memfd that this process alone can write.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/contract/region.hpp"
#include "dataplane/housekeeper/socket.hpp"

#include <cstddef>
#include <span>

namespace dp {

class CounterRegion {
 public:
  static base::Result<CounterRegion> make(contract::RegionShape shape);
  ~CounterRegion();
  CounterRegion(CounterRegion&& other) noexcept;
  CounterRegion& operator=(CounterRegion&&) = delete;

  // For SCM_RIGHTS: sealed, so that whoever gets it can only map it for reading.
  int descriptor() const noexcept { return descriptor_.get(); }
  std::span<std::byte> memory() const noexcept { return memory_; }
  const contract::RegionShape& shape() const noexcept { return shape_; }

  contract::WorkerBlock worker(std::uint32_t index) const noexcept {
    return contract::worker_block(memory_, shape_, index);
  }
  contract::GlobalState& global() const noexcept { return contract::global_state(memory_, shape_); }
  std::span<contract::WorkerPlace> worker_places() const noexcept {
    return contract::worker_places(memory_, shape_);
  }
  std::span<contract::NextHopState> next_hops() const noexcept {
    return contract::next_hop_states(memory_, shape_);
  }
  std::span<contract::NeighbourState> neighbours() const noexcept {
    return contract::neighbour_states(memory_, shape_);
  }
  std::span<contract::PortState> ports() const noexcept {
    return contract::port_states(memory_, shape_);
  }

 private:
  CounterRegion(Descriptor descriptor, std::span<std::byte> memory, contract::RegionShape shape);

  Descriptor descriptor_;
  std::span<std::byte> memory_;
  contract::RegionShape shape_;
};

}  // namespace dp
