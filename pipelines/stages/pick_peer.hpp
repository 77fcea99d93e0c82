// SPDX-License-Identifier: Apache-2.0
// pick_peer: what enters at one transit port leaves at the other one of its pair.
#pragma once

#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"

namespace dp {

struct PickPeer {
  static constexpr StageInfo info{.name = "pick_peer",
                                  .needs = {Fact::received},
                                  .sets = {Fact::destination, Fact::finished},
                                  .may_drop = {DropReason::port_without_peer}};

  explicit PickPeer(const Environment& environment) noexcept : environment_(environment) {}

  Verdict handle(Packet packet) noexcept {
    PacketMeta& meta = packet.meta();
    const PortRecord* port =
        environment_.tables.ports.find(meta.in_port.value, environment_.generation);
    if (port == nullptr || port->transit_peer == base::no_port) {
      return DropReason::port_without_peer;
    }
    meta.out_port = port->transit_peer;
    return keep;
  }

 private:
  const Environment& environment_;
};

}  // namespace dp
