// SPDX-License-Identifier: Apache-2.0
// share_neighbours: at a port with a twin, ARP and neighbour discovery concern two: Weir, which
// answers for its own addresses and resolves next hops, and the kernel, which does the same for
// its own. The housekeeper gets a copy; the frame goes on to the kernel.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/stages/neighbour_message.hpp"

namespace dp {

class ShareNeighbours {
 public:
  static constexpr StageInfo info{.name = "share_neighbours",
                                  .needs = {Fact::received, Fact::gathered},
                                  .sets = {},
                                  .may_drop = {DropReason::no_mbuf, DropReason::punt_rate_exceeded,
                                               DropReason::punt_queue_full}};

  explicit ShareNeighbours(const Environment& environment) noexcept : environment_(environment) {}

  void process(Batch& batch, Exits& exits, std::uint16_t stage) noexcept {
    for (std::uint16_t i = 0; i < batch.size(); ++i) {
      if (is_neighbour_message(batch[i], environment_.in_port->mac)) copy(batch[i], exits, stage);
    }
  }

 private:
  void copy(Packet packet, Exits& exits, std::uint16_t stage) noexcept {
    rte_mbuf* mbuf = rte_pktmbuf_copy(packet.mbuf(), &environment_.pool, 0, UINT32_MAX);
    if (mbuf == nullptr) return exits.drop_uncreated(stage, DropReason::no_mbuf);
    exits.created(1);
    PacketMeta meta = packet.meta();
    meta.trace_slot = no_trace;  // Its story is that of the frame.
    exits.end(stage, mbuf, meta, punt);
  }

  const Environment& environment_;
};

}  // namespace dp
