// SPDX-License-Identifier: Apache-2.0
// Frames to all queue pairs of a profile, round by round, without state per queue pair: which frame
// of the mix is a queue pair's turn, and with which PSN, follows from the number of the round.
#pragma once

#include "tools/pktgen/generate/mix.hpp"
#include "tools/pktgen/generate/permutation.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace pktgen {

// What the next frame is.
struct NextFrame {
  const FrameTemplate* frame;
  std::uint8_t opcode;
  std::uint32_t flow;
  FrameFields fields;  // But for the time.
};

class Generator {
 public:
  // `mix` outlives it.
  Generator(const Profile& profile, const Mix& mix);

  NextFrame next() noexcept {
    if (left_ == 0) begin_round();
    --left_;
    const std::uint32_t flow = order_.next();
    const Turn turn = turn_of(flow, in_mix_);
    const Slot slot = mix_.slots[turn.slot];
    return {.frame = &mix_.frames[slot.frame],
            .opcode = mix_.opcodes[slot.frame],
            .flow = flow,
            .fields = fields_of(flow, number_of(slot.series, turn))};
  }
  std::uint64_t sent() const noexcept { return round_ * flow_count_ - left_; }

  // The PSN that would come next in each counted series of each queue pair; of a series without
  // frames it is the first. Walks over all queue pairs.
  using Ends = std::vector<std::array<std::uint32_t, counted_series>>;
  Ends ends() const;

 private:
  // Where a queue pair stands in the mix: it began at `start` and is at `slot` now.
  struct Turn {
    std::uint32_t start;
    std::uint32_t slot;
  };

  static std::uint32_t hash(std::uint32_t flow) noexcept {
    // Fibonacci hashing: neighbours are far apart, and the upper bits are the good ones.
    return flow * 0x9e37'79b1u;
  }
  // hash as a fraction of `count`, which is no division.
  static std::uint32_t share_of(std::uint32_t hash, std::uint32_t count) noexcept {
    return static_cast<std::uint32_t>(std::uint64_t{hash} * count >> 32);
  }
  Turn turn_of(std::uint32_t flow, std::uint32_t in_mix) const noexcept {
    const std::uint32_t start =
        mix_.starts[share_of(hash(flow), static_cast<std::uint32_t>(mix_.starts.size()))];
    const std::uint32_t slot = start + in_mix;
    return {.start = start, .slot = slot < slot_count_ ? slot : slot - slot_count_};
  }
  // Of this frame in its series; CNPs have none, and stay at the first PSN.
  std::uint32_t number_of(Series series, Turn turn) const noexcept {
    if (series == Series::none) return 0;
    return count_of(static_cast<std::size_t>(series), turn, cycles_);
  }
  // Frames of a series that a queue pair was sent before this turn.
  std::uint32_t count_of(std::size_t series, Turn turn, std::uint64_t cycles) const noexcept {
    const auto& before = mix_.before[series];
    const std::uint32_t all = before[slot_count_];
    std::uint32_t count = before[turn.slot] - before[turn.start];
    if (turn.slot < turn.start) count += all;
    return count + static_cast<std::uint32_t>(cycles) * all;
  }
  FrameFields fields_of(std::uint32_t flow, std::uint32_t number) const noexcept {
    const std::uint32_t spread = hash(flow);
    return {.qp = first_qp_ + flow,
            .psn = (first_psn_ + number) & mask_24,
            .sequence = number,
            .source_port = static_cast<std::uint16_t>(first_port_ + share_of(spread, port_count_)),
            .source_low =
                static_cast<std::uint16_t>(source_low_ + share_of(spread * 3u, source_count_)),
            .destination_low = static_cast<std::uint16_t>(
                destination_low_ + share_of(spread * 5u, destination_count_)),
            .sent_at = 0};
  }
  void begin_round() noexcept;

  const Mix& mix_;
  std::uint32_t slot_count_;
  std::uint32_t flow_count_;
  std::uint32_t first_qp_;
  std::uint32_t first_psn_;
  std::uint32_t first_port_;
  std::uint32_t port_count_;
  std::uint32_t source_low_;
  std::uint32_t source_count_;
  std::uint32_t destination_low_;
  std::uint32_t destination_count_;
  std::uint64_t seed_;
  bool shuffle_;
  std::uint64_t round_ = 0;   // Rounds begun.
  std::uint32_t left_ = 0;    // Frames of this round still to come.
  std::uint32_t in_mix_ = 0;  // (round - 1) modulo the mix's slots,
  std::uint64_t cycles_ = 0;  // and divided by them.
  Permutation order_;
};

}  // namespace pktgen
