// SPDX-License-Identifier: Apache-2.0
// untag_frame: at an underlay port that has a VLAN, frames of another one end here, and those of
// its own go on without the tag, so that no later stage has to ask.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/packet/vlan.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "dataplane/pipeline/judge.hpp"
#include "dataplane/pipeline/stage.hpp"

namespace dp {

class UntagFrame {
 public:
  static constexpr StageInfo info{
      .name = "untag_frame",
      .needs = {Fact::received, Fact::gathered},
      .sets = {},
      .may_drop = {DropReason::frame_truncated, DropReason::unknown_vlan}};

  explicit UntagFrame(const Environment& environment) noexcept : environment_(environment) {}

  void process(Batch& batch, Exits& exits, std::uint16_t stage) noexcept {
    if (environment_.in_port->vlan != 0) [[unlikely]]  // Costs the others nothing per packet.
      untag(batch, exits, stage);
  }

 private:
  [[gnu::noinline]] void untag(Batch& batch, Exits& exits, std::uint16_t stage) noexcept {
    const std::uint16_t vlan = environment_.in_port->vlan;
    judge(batch, exits, stage, [vlan](std::size_t, Packet packet) noexcept -> Verdict {
      if (packet.contiguous() < sizeof(EthernetHeader)) return DropReason::frame_truncated;
      if (packet.header<EthernetHeader>(0).type != be16(ethertype::vlan)) {
        return DropReason::unknown_vlan;
      }
      if (packet.contiguous() < sizeof(EthernetHeader) + sizeof(VlanTag)) {
        return DropReason::frame_truncated;
      }
      if (packet.header<VlanTag>(sizeof(EthernetHeader)).vid() != vlan) {
        return DropReason::unknown_vlan;
      }
      strip_tag(packet);
      return keep;
    });
  }

  const Environment& environment_;
};

}  // namespace dp
