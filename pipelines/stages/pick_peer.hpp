// SPDX-License-Identifier: Apache-2.0
// pick_peer: what enters at one transit port leaves at the other one of its pair, and what enters
// at a host port at the underlay port whose twin that is.
#pragma once

#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "dataplane/table/last_record.hpp"

#include <cstdint>

namespace dp {

enum class Tags : std::uint8_t { stay, follow };  // As it came; or tag_frame comes behind.

template <Tags tags>
struct PickPeer {
  static constexpr StageInfo info{
      .name = "pick_peer",
      .needs = {Fact::received},
      .sets = tags == Tags::stay ? Facts{Fact::destination, Fact::finished, Fact::tagged}
                                 : Facts{Fact::destination, Fact::finished},
      .may_drop = {DropReason::port_without_peer, DropReason::mtu_exceeded}};

  explicit PickPeer(const Environment& environment) noexcept
      : environment_(environment), ports_(environment.tables.ports) {}

  Verdict handle(Packet packet) noexcept {
    const PortId peer = environment_.in_port->transit_peer;
    if (peer == base::no_port) return DropReason::port_without_peer;
    const PortRecord* record = ports_.find(peer.value, environment_.generation);
    if (record == nullptr) return DropReason::port_without_peer;
    if (!record->takes(packet.length())) return DropReason::mtu_exceeded;
    packet.meta().out_port = peer;
    return keep;
  }

 private:
  const Environment& environment_;
  LastRecord<PortRecord> ports_;
};

}  // namespace dp
