// SPDX-License-Identifier: Apache-2.0
// look_into_tunnel: for frames that only pass through, find the tenant's headers behind a tunnel's,
// so that RoCE is seen there too. Nothing is changed, and what cannot be read is left as it is.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/stages/parse_frame.hpp"
#include "pipelines/tunnels/tunnels.hpp"

namespace dp {

struct LookIntoTunnel {
  static constexpr StageInfo info{
      .name = "look_into_tunnel", .needs = {Fact::parsed}, .sets = {}, .may_drop = {}};

  explicit LookIntoTunnel(const Environment&) noexcept {}

  Verdict handle(Packet packet) noexcept {
    PacketMeta& meta = packet.meta();
    if (meta.l4_protocol != ip_protocol::udp) return keep;
    const auto inner =
        static_cast<std::uint16_t>(meta.l4 + sizeof(UdpHeader) + Vxlan::header_bytes);
    if (meta.l4_length < sizeof(UdpHeader) + Vxlan::header_bytes || inner > packet.contiguous()) {
      return keep;
    }
    std::uint32_t vni;
    if (packet.header<UdpHeader>(meta.l4).destination != be16(Vxlan::udp_destination) ||
        Vxlan::read(packet.data() + meta.l4 + sizeof(UdpHeader), vni) != keep) {
      return keep;
    }
    // A broken frame inside is the concern of the VTEP at which it ends.
    const PacketMeta outside = meta;
    if (parse_frame_at(packet, inner) != keep) meta = outside;
    return keep;
  }
};

}  // namespace dp
