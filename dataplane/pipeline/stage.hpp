// SPDX-License-Identifier: Apache-2.0
// What a stage is. A step judges one packet at a time and is fused with its neighbours into one
// loop (Pass); a stage that gains from the whole batch sees the Batch.
//
//   struct MarkEcn {                                   // a step
//     static constexpr StageInfo info{.name = "mark_ecn", .needs = …, .sets = …, .may_drop = …};
//     explicit MarkEcn(const Environment&) noexcept;
//     Verdict handle(Packet) noexcept;
//   };
//   struct LookUpEndpoint { … void process(Batch&, Exits&) noexcept; };            // a stage
//   struct Flood { … template <class Next> void process(Batch&, Exits&, Next) …; } // one that
//   makes
//                                                      // packets and sends them on by next(Batch&)
#pragma once

#include "dataplane/contract/drop_reason.hpp"
#include "dataplane/packet/packet.hpp"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace dp {

using contract::DropReason;

// A packet's fate after one step: go on, die for a reason, or go to the housekeeper.
using Verdict = DropReason;
inline constexpr Verdict keep = DropReason::none;
// No reason of the list has these numbers: whoever is punted or diverted is not dropped.
inline constexpr Verdict punt = static_cast<DropReason>(0xff);
// It goes on, as it is, in the pipeline for diverted packets, once the burst is done.
inline constexpr Verdict divert = static_cast<DropReason>(0xfe);
static_assert(contract::drop_reason_slots < 0xfe);

// What stages may know about a packet. A stage names what it needs and what it adds; a pipeline
// whose order does not provide it does not compile.
enum class Fact : std::uint32_t {
  received = 1 << 0,      // in_port is set. Every pipeline starts with it.
  outer_parsed = 1 << 1,  // A tunnel's outer headers: outer_tos, l3, l4 of the outer packet.
  network = 1 << 2,
  parsed = 1 << 3,         // l3, l4, tos of the frame that is carried.
  kind = 1 << 4,           // kind, destination_qp.
  ecn_final = 1 << 5,      // The carried frame has the ECN with which it will leave.
  destination = 1 << 6,    // vtep or out_port, or flood.
  single_target = 1 << 7,  // flood is settled: exactly one destination.
  next_hop = 1 << 8,       // next_hop and out_port for remote destinations; the frame fits.
  finished = 1 << 9,       // The frame can leave at out_port, but for VLAN tags.
  gathered = 1 << 10,      // The headers lie in one piece that may be written: head_bytes.
  wire_sized = 1 << 11,    // No frame waits to be cut; none of its checksums is missing.
  tagged = 1 << 12,  // The frame has the VLAN tags with which it leaves, and out_port a device.
};

struct Facts {
  std::uint32_t bits = 0;

  constexpr Facts() = default;
  constexpr Facts(std::initializer_list<Fact> facts) {
    for (const Fact fact : facts) bits |= static_cast<std::uint32_t>(fact);
  }
  constexpr bool cover(Facts needed) const noexcept { return (needed.bits & ~bits) == 0; }
};

struct DropReasons {
  std::uint64_t bits = 0;

  constexpr DropReasons() = default;
  constexpr DropReasons(std::initializer_list<DropReason> reasons) {
    for (const DropReason reason : reasons) bits |= std::uint64_t{1} << static_cast<int>(reason);
  }
  constexpr bool contain(DropReason reason) const noexcept {
    return (bits >> static_cast<int>(reason) & 1) != 0;
  }
  friend constexpr DropReasons operator|(DropReasons a, DropReasons b) noexcept {
    a.bits |= b.bits;
    return a;
  }
};

struct StageInfo {
  std::string_view name;  // A verb with its object; unique within a pipeline.
  Facts needs;
  Facts sets;
  DropReasons may_drop;
};

template <class T>
concept Step = requires(T step, Packet packet) {
  { T::info } -> std::convertible_to<StageInfo>;
  { step.handle(packet) } noexcept -> std::same_as<Verdict>;
};

}  // namespace dp
