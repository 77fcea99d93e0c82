// SPDX-License-Identifier: Apache-2.0
// The shared counter region: written by the data plane alone, read by anyone who holds the
// descriptor. It describes itself, so that any reader of any release can print it:
//
//   0        RegionHeader      magic, version, sizes, where the two lists are
//   …        LabelList × n     named positions of a dimension: drop reasons, kinds, stages
//   …        Field × n         name, unit, help, kind, offset, dimensions (count, stride, labels)
//   …        the values        blocks of counters.hpp, per worker, port, network, VTEP
//
// The reader treats all of it as hostile: RegionView checks every offset against the mapped size.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/contract/counters.hpp"
#include "dataplane/contract/frame.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace contract {

inline constexpr std::uint64_t region_magic = 0x3153'5441'5453'4557;  // "WESTATS1" in memory.
inline constexpr std::uint32_t region_version = 1;
inline constexpr std::size_t label_bytes = 64;
inline constexpr std::size_t dimension_count_max = 4;
inline constexpr std::uint32_t no_labels = 0xffff'ffff;

struct RegionHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t header_bytes;
  std::uint64_t total_bytes;
  std::uint32_t label_list_count;
  std::uint32_t field_count;
  std::uint64_t label_lists_offset;
  std::uint64_t fields_offset;
};

// Names of the positions of one dimension.
struct LabelList {
  Text<name_bytes> name;  // "drop_reason", "stage", …
  std::uint64_t offset;   // Of `count` Text<label_bytes>.
  std::uint32_t count;
  std::uint32_t reserved;
};

enum class FieldKind : std::uint32_t {
  counter = 1,  // Only grows while the data plane lives.
  gauge = 2,
  text = 3,  // `element_bytes` characters, NUL-padded.
};

struct Dimension {
  Text<name_bytes> name;  // "worker", "port", "network", "vtep", "stage", "ecn", …
  std::uint32_t count;
  std::uint32_t stride_bytes;
  std::uint32_t label_list;  // Index, or no_labels: positions are ids.
  std::uint32_t reserved;
};

struct Field {
  Text<64> name;  // "worker.rx", "port.rx_bytes": block, dot, member.
  Text<16> unit;  // "packets", "bytes", "cycles", "ns", …
  Text<128> help;
  FieldKind kind;
  std::uint32_t element_bytes;  // 8, or the length of a text.
  std::uint64_t offset;         // Of the first element.
  std::uint32_t dimension_count;
  std::uint32_t reserved;
  std::array<Dimension, dimension_count_max> dimensions;
};

static_assert(Record<RegionHeader> && Record<LabelList> && Record<Dimension> && Record<Field>);

// How large each dimension is in this process.
struct RegionShape {
  std::uint32_t worker_count;
  std::uint32_t port_count;
  std::uint32_t network_count;      // Highest NetworkId + 1.
  std::uint32_t vtep_count;         // Highest VtepId + 1.
  std::uint32_t next_hop_count;     // Highest NextHopId + 1.
  std::uint32_t neighbour_count;    // Places, whoever has them.
  std::vector<std::string> stages;  // "host_to_wire/parse_frame", in catalog order.
};

// Where the blocks lie; all offsets are multiples of the cache line.
struct RegionLayout {
  std::uint64_t global_offset;
  std::uint64_t port_states_offset;
  std::uint64_t next_hop_states_offset;
  std::uint64_t neighbour_states_offset;
  std::uint64_t worker_places_offset;
  std::uint64_t queues_offset;
  std::uint64_t workers_offset;  // Of worker 0's blocks.
  std::uint64_t worker_stride;
  std::uint64_t totals_offset;  // These four within a worker's blocks.
  std::uint64_t stages_offset;
  std::uint64_t ports_offset;
  std::uint64_t networks_offset;
  std::uint64_t vteps_offset;
  std::uint64_t total_bytes;
};

RegionLayout lay_out(const RegionShape& shape) noexcept;

// The counters of one worker as pointers into the region. Borrowed; the region outlives workers.
struct WorkerBlock {
  WorkerTotals* totals;
  std::span<StageCounters> stages;
  std::span<PortCounters> ports;
  std::span<NetworkCounters> networks;
  std::span<VtepCounters> vteps;
  // By port and traffic class, of all workers: each writes those whose home it is.
  std::span<QueueCounters> queues;
};

// Writes header, labels and fields into zeroed memory of lay_out(shape).total_bytes, 64-byte
// aligned.
void describe_region(std::span<std::byte> memory, const RegionShape& shape);

WorkerBlock worker_block(std::span<std::byte> memory, const RegionShape& shape,
                         std::uint32_t worker) noexcept;
GlobalState& global_state(std::span<std::byte> memory, const RegionShape& shape) noexcept;
std::span<PortState> port_states(std::span<std::byte> memory, const RegionShape& shape) noexcept;
std::span<WorkerPlace> worker_places(std::span<std::byte> memory,
                                     const RegionShape& shape) noexcept;
std::span<NextHopState> next_hop_states(std::span<std::byte> memory,
                                        const RegionShape& shape) noexcept;
std::span<NeighbourState> neighbour_states(std::span<std::byte> memory,
                                           const RegionShape& shape) noexcept;

// Writer's half of the sequence: totals are written between these two.
// Pairs with read_totals(): release orders the values before the even number.
inline void begin_totals(WorkerTotals& totals) noexcept {
  std::atomic_ref<std::uint64_t> sequence(totals.sequence);
  sequence.store(sequence.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
}
inline void end_totals(WorkerTotals& totals) noexcept {
  std::atomic_ref<std::uint64_t> sequence(totals.sequence);
  sequence.store(sequence.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

// A mapped region of this or another release. Borrows the memory.
class RegionView {
 public:
  static base::Result<RegionView> open(std::span<const std::byte> memory);

  const std::vector<Field>& fields() const noexcept { return fields_; }
  const std::vector<LabelList>& label_lists() const noexcept { return label_lists_; }
  // nullptr where this release's data plane has no such field.
  const Field* find(std::string_view name) const noexcept;
  std::string label(std::uint32_t label_list, std::uint32_t position) const;

  // The element at `indices` (one per dimension, checked). 0 where out of range.
  std::uint64_t value(const Field& field, std::span<const std::uint32_t> indices) const noexcept;
  std::string text(const Field& field, std::span<const std::uint32_t> indices) const;

  // All totals of a worker at one moment; those that its release lacks are 0. timed_out: the writer
  // died half-way (bounded retries).
  base::Result<WorkerTotals> read_totals(std::uint32_t worker) const noexcept;

 private:
  std::span<const std::byte> memory_;
  std::vector<LabelList> label_lists_;
  std::vector<Field> fields_;
};

}  // namespace contract
