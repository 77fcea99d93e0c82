// SPDX-License-Identifier: Apache-2.0
// tag_frame: a frame that leaves at an underlay port with a VLAN, or at a VLAN of a tenant port,
// gets its tags; the latter then leaves at the parent. What leaves at a tenant port that maps VLANs
// must have no tag of its own: the host would take it for a frame of another network.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "dataplane/pipeline/judge.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "dataplane/table/last_record.hpp"

namespace dp {

class TagFrame {
 public:
  static constexpr StageInfo info{
      .name = "tag_frame",
      .needs = {Fact::finished},
      .sets = {Fact::tagged},
      .may_drop = {DropReason::network_frame_tagged, DropReason::no_headroom}};

  explicit TagFrame(const Environment& environment) noexcept
      : environment_(environment), ports_(environment.tables.ports) {}

  void process(Batch& batch, Exits& exits, std::uint16_t stage) noexcept {
    if (!environment_.in_port->tags_in_use) [[likely]]  // Nobody without VLANs pays for them.
      return;
    judge(batch, exits, stage,
          [this](std::size_t, Packet packet) noexcept { return finish(packet); });
  }

 private:
  Verdict finish(Packet packet) noexcept;
  static bool push_tags(Packet packet, const PortRecord& port) noexcept;

  const Environment& environment_;
  LastRecord<PortRecord> ports_;
};

}  // namespace dp
