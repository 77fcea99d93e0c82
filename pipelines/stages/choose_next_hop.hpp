// SPDX-License-Identifier: Apache-2.0
// choose_next_hop: by which next hop does a frame reach its VTEP, and does it fit the port there?
// The first one that is usable now. RoCE is never fragmented, so a frame that is too large dies
// here, counted, rather than silently later.
#pragma once

#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"

namespace dp {

struct ChooseNextHop {
  static constexpr StageInfo info{
      .name = "choose_next_hop",
      .needs = {Fact::single_target},
      .sets = {Fact::next_hop},
      .may_drop = {DropReason::endpoint_target_missing, DropReason::next_hop_unresolved,
                   DropReason::next_hop_link_down, DropReason::mtu_exceeded}};

  explicit ChooseNextHop(const Environment& environment) noexcept : environment_(environment) {}

  Verdict handle(Packet packet) noexcept {
    PacketMeta& meta = packet.meta();
    if (meta.vtep == base::no_vtep) return keep;  // To a tenant port here.
    const auto& vteps = environment_.tables.vteps;
    const std::uint32_t place = vteps.locate(meta.vtep.value, environment_.generation);
    if (place == vteps.nowhere) return DropReason::endpoint_target_missing;
    const VtepRecord& vtep = vteps.at(place);
    meta.next_hop = place;
    const bool usable = environment_.tables.next_hops.read(vtep.first.place).usable();
    if (!usable || packet.length() > vtep.first.frame_bytes_max) [[unlikely]]
      return choose_other(packet, vtep);
    meta.out_port = vtep.first.port;
    return keep;
  }

 private:
  // The second next hop, or why the frame goes nowhere.
  Verdict choose_other(Packet packet, const VtepRecord& vtep) const noexcept;

  const Environment& environment_;
};

}  // namespace dp
