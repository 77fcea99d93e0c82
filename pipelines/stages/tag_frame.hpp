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
    const std::uint64_t tagging = environment_.in_port->tagging_ports;
    if (tagging != 0 && any_leaves_at(tagging, batch)) [[unlikely]]  // Costs only who has VLANs.
      tag(batch, exits, stage);
  }

 private:
  // Without a branch per packet.
  static bool any_leaves_at(std::uint64_t ports, Batch& batch) noexcept {
    std::uint64_t found = 0;
    for (std::uint16_t i = 0; i < batch.size(); ++i) {
      const unsigned port = batch[i].meta().out_port.value;
      found |= port < contract::port_count_max ? ports >> port : 0;
    }
    return (found & 1) != 0;
  }
  [[gnu::noinline]] void tag(Batch& batch, Exits& exits, std::uint16_t stage) noexcept {
    judge(batch, exits, stage,
          [this](std::size_t, Packet packet) noexcept { return finish(packet); });
  }
  Verdict finish(Packet packet) noexcept;
  static bool push_tags(Packet packet, const PortRecord& port) noexcept;

  const Environment& environment_;
  LastRecord<PortRecord> ports_;
};

}  // namespace dp
