// SPDX-License-Identifier: Apache-2.0
// choose_next_hop: by which underlay port does a frame reach its VTEP, and does it fit there? RoCE
// is never fragmented, so a frame that is too large dies here, counted, rather than silently later.
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
                   DropReason::mtu_exceeded}};

  explicit ChooseNextHop(const Environment& environment) noexcept : environment_(environment) {}

  Verdict handle(Packet packet) noexcept {
    PacketMeta& meta = packet.meta();
    if (meta.vtep == base::no_vtep) return keep;  // To a tenant port here.
    const auto& vteps = environment_.tables.vteps;
    const std::uint32_t place = vteps.locate(meta.vtep.value, environment_.generation);
    if (place == vteps.nowhere) return DropReason::endpoint_target_missing;
    const VtepRecord& vtep = vteps.at(place);
    if (packet.length() > vtep.frame_bytes_max) [[unlikely]] {  // Also where nothing can be sent.
      if (vtep.kind != contract::VtepKind::remote) return DropReason::endpoint_target_missing;
      return vtep.frame_bytes_max == 0 ? DropReason::next_hop_unresolved : DropReason::mtu_exceeded;
    }
    meta.next_hop = place;
    meta.out_port = vtep.port;
    return keep;
  }

 private:
  const Environment& environment_;
};

}  // namespace dp
