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
    const PortId peer = environment_.in_port->transit_peer;
    if (peer == base::no_port) return DropReason::port_without_peer;
    packet.meta().out_port = peer;
    return keep;
  }

 private:
  const Environment& environment_;
};

}  // namespace dp
