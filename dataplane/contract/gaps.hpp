// SPDX-License-Identifier: Apache-2.0
// How long a worker was away from its ports: a histogram of its own in the region, beside what it
// counts of packets (counters.hpp). Sleep is not counted, for nothing waited then.
#pragma once

#include "dataplane/contract/region.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace contract {

// Four positions an octave from 1 us on; the first is for all below, the last for all above 32 ms.
inline constexpr std::size_t gap_slots = 62;

// The position of a gap, which is counted in quarters of a microsecond.
constexpr std::size_t gap_slot(std::uint64_t quarters_us) noexcept {
  if (quarters_us < 4) return 0;
  const auto octave = static_cast<std::size_t>(std::bit_width(quarters_us)) - 3;
  const std::size_t slot = 1 + 4 * octave + static_cast<std::size_t>(quarters_us >> octave & 3);
  return slot < gap_slots ? slot : gap_slots - 1;
}

// Where a position ends; the last has no end.
constexpr std::uint64_t gap_end_quarters_us(std::size_t slot) noexcept {
  return slot == 0 ? 4 : std::uint64_t{5 + (slot - 1) % 4} << (slot - 1) / 4;
}

// Per worker, which writes it.
struct alignas(cache_line_bytes) WorkerGaps {
  std::array<std::uint64_t, gap_slots + 2> turns_by_gap;  // The last two round up a cache line.
};
static_assert(sizeof(WorkerGaps) % cache_line_bytes == 0);

// They lie behind the totals of their worker.
inline WorkerGaps& worker_gaps(const WorkerBlock& worker) noexcept {
  return *reinterpret_cast<WorkerGaps*>(worker.totals + 1);
}
constexpr std::uint64_t gaps_offset(const RegionLayout& layout) noexcept {
  return layout.totals_offset + sizeof(WorkerTotals);
}
static_assert(sizeof(WorkerTotals) % cache_line_bytes == 0, "nothing lies between");

}  // namespace contract
