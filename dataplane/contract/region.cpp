// SPDX-License-Identifier: Apache-2.0
// Where the blocks of the region lie, and access to them for the process that writes them.
// The list of fields stands in region_fields.cpp, the reader's side in region_view.cpp.
#include "dataplane/contract/region.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/contract/gaps.hpp"
#include "dataplane/contract/region_fields.hpp"

namespace contract {
namespace {

constexpr std::uint64_t round_up(std::uint64_t bytes) noexcept {
  return (bytes + cache_line_bytes - 1) / cache_line_bytes * cache_line_bytes;
}

// A block at the next free cache line; moves `end` behind it.
std::uint64_t place(std::uint64_t& end, std::uint64_t bytes) noexcept {
  const std::uint64_t offset = round_up(end);
  end = round_up(offset + bytes);
  return offset;
}

template <class T>
T* at(std::span<std::byte> memory, std::uint64_t offset) noexcept {
  return reinterpret_cast<T*>(memory.data() + offset);
}

}  // namespace

RegionLayout lay_out(const RegionShape& shape) noexcept {
  RegionLayout layout{};
  std::uint64_t end = description_bytes(shape);
  layout.global_offset = place(end, sizeof(GlobalState));
  layout.port_states_offset = place(end, shape.port_count * sizeof(PortState));
  layout.next_hop_states_offset =
      place(end, std::uint64_t{shape.next_hop_count} * sizeof(NextHopState));
  layout.neighbour_states_offset =
      place(end, std::uint64_t{shape.neighbour_count} * sizeof(NeighbourState));
  layout.worker_places_offset = place(end, shape.worker_count * sizeof(WorkerPlace));
  // A line each for what has a writer each: port and home worker, worker.
  static_assert(sizeof(QueueCounters) * traffic_class_count % cache_line_bytes == 0);
  static_assert(alignof(WorkerTotals) == cache_line_bytes);
  layout.queues_offset = place(end, shape.port_count * traffic_class_count * sizeof(QueueCounters));
  layout.workers_offset = round_up(end);

  std::uint64_t worker_end = 0;
  layout.totals_offset = place(worker_end, sizeof(WorkerTotals));
  place(worker_end, sizeof(WorkerGaps));
  layout.stages_offset = place(worker_end, shape.stages.size() * sizeof(StageCounters));
  layout.ports_offset = place(worker_end, shape.port_count * sizeof(PortCounters));
  layout.networks_offset =
      place(worker_end, std::uint64_t{shape.network_count} * sizeof(NetworkCounters));
  layout.vteps_offset = place(worker_end, std::uint64_t{shape.vtep_count} * sizeof(VtepCounters));
  layout.worker_stride = worker_end;

  layout.total_bytes = layout.workers_offset + shape.worker_count * layout.worker_stride;
  return layout;
}

WorkerBlock worker_block(std::span<std::byte> memory, const RegionShape& shape,
                         std::uint32_t worker) noexcept {
  CHECK(worker < shape.worker_count);
  const RegionLayout layout = lay_out(shape);
  const std::uint64_t block = layout.workers_offset + worker * layout.worker_stride;
  return WorkerBlock{
      .totals = at<WorkerTotals>(memory, block + layout.totals_offset),
      .stages = {at<StageCounters>(memory, block + layout.stages_offset), shape.stages.size()},
      .ports = {at<PortCounters>(memory, block + layout.ports_offset), shape.port_count},
      .networks = {at<NetworkCounters>(memory, block + layout.networks_offset),
                   shape.network_count},
      .vteps = {at<VtepCounters>(memory, block + layout.vteps_offset), shape.vtep_count},
      .queues = {at<QueueCounters>(memory, layout.queues_offset),
                 shape.port_count * traffic_class_count}};
}

GlobalState& global_state(std::span<std::byte> memory, const RegionShape& shape) noexcept {
  return *at<GlobalState>(memory, lay_out(shape).global_offset);
}

std::span<PortState> port_states(std::span<std::byte> memory, const RegionShape& shape) noexcept {
  return {at<PortState>(memory, lay_out(shape).port_states_offset), shape.port_count};
}

std::span<WorkerPlace> worker_places(std::span<std::byte> memory,
                                     const RegionShape& shape) noexcept {
  return {at<WorkerPlace>(memory, lay_out(shape).worker_places_offset), shape.worker_count};
}

std::span<NextHopState> next_hop_states(std::span<std::byte> memory,
                                        const RegionShape& shape) noexcept {
  return {at<NextHopState>(memory, lay_out(shape).next_hop_states_offset), shape.next_hop_count};
}

std::span<NeighbourState> neighbour_states(std::span<std::byte> memory,
                                           const RegionShape& shape) noexcept {
  return {at<NeighbourState>(memory, lay_out(shape).neighbour_states_offset),
          shape.neighbour_count};
}

}  // namespace contract
