// SPDX-License-Identifier: Apache-2.0
// The congestion point of DCQCN (Zhu et al., SIGCOMM 2015, section 3.1): which frames carry the
// news of a queue, by its length in bytes as they leave it; and how they carry it.
#pragma once

#include "dataplane/contract/packet_kind.hpp"
#include "dataplane/queue/queued_frame.hpp"
#include "dataplane/table/records.hpp"

#include <cstdint>

namespace dp {

// splitmix64: one state per worker, so that no two marks of different workers are one decision.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    state_ += 0x9e37'79b9'7f4a'7c15;
    std::uint64_t mixed = (state_ ^ (state_ >> 30)) * 0xbf58'476d'1ce4'e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d0'49bb'1331'11eb;
    return mixed ^ (mixed >> 31);
  }

 private:
  std::uint64_t state_;
};

inline constexpr std::uint64_t certain = std::uint64_t{1} << probability_shift;

// With which probability is a frame to be marked that leaves `depth` bytes, itself included? 0 up
// to kmin, 1 (`certain`) above kmax; between them it rises from 0 to pmax, and then jumps.
inline std::uint64_t mark_probability(const QueueClassRecord& record,
                                      std::uint64_t depth) noexcept {
  if (depth <= record.kmin) return 0;
  if (depth > record.kmax) return certain;
  return (depth - record.kmin) * record.probability_per_byte;
}

inline bool is_to_mark(std::uint64_t probability, Random& random) noexcept {
  return (random.next() >> (64 - probability_shift)) < probability;  // Which is below `certain`.
}

constexpr std::uint64_t in_millionths(std::uint64_t probability) noexcept {
  constexpr unsigned bits_kept = 32;  // The product has no more than 52.
  constexpr std::uint64_t half = std::uint64_t{1} << (bits_kept - 1);
  return ((probability >> (probability_shift - bits_kept)) * 1'000'000 + half) >> bits_kept;
}

// What became of a frame that is to be marked.
enum class MarkResult : std::uint8_t {
  marked,
  marked_before,  // It said CE already.
  not_ect,        // It may not be marked (RFC 3168 section 6.1.1), and passes.
  exempt,         // Nobody reacts to its mark: no IP, or an ACK, CNP or CM.
  drop,           // It may not be marked, so it dies.
};

// Sets CE where the record wants it. The frame's headers are ours alone.
MarkResult mark(const QueuedFrame& frame, const QueueClassRecord& record) noexcept;

}  // namespace dp
