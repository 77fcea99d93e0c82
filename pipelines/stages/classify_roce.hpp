// SPDX-License-Identifier: Apache-2.0
// classify_roce: which RoCE operation is this, and to which QP? It never drops: what is no valid
// RoCEv2 packet is carried like any other, and a receiver discards it (IBTA A17 CA17-24).
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/stages/bth.hpp"
#include "pipelines/stages/flow_hash.hpp"

namespace dp {

// Refines kind, destination_qp and flow_hash of a packet whose UDP destination is 4791.
// Off the inlined path only for its size; RoCE is the common case.
void classify_roce_v2(Packet packet) noexcept;

struct ClassifyRoce {
  static constexpr StageInfo info{
      .name = "classify_roce", .needs = {Fact::parsed}, .sets = {Fact::kind}, .may_drop = {}};

  explicit ClassifyRoce(const Environment& environment) noexcept
      : ports_(environment.counters.ports) {}

  Verdict handle(Packet packet) noexcept {
    const PacketMeta& meta = packet.meta();
    if (is_roce_port(packet)) classify_roce_v2(packet);
    // The outermost ECN: what the fabric said about the path so far.
    contract::add(ports_[meta.in_port.value]
                      .rx_kinds[static_cast<std::size_t>(meta.kind)][meta.outer_tos & 3],
                  1);
    return keep;
  }

 private:
  // UDP directly behind the IP header. IPv4 with options is no RoCE (CA17-3), nor is a fragment
  // (CA17-8) or an IPv6 extension header (CA17-16); the parser left l4_protocol accordingly.
  static bool is_roce_port(Packet packet) noexcept {
    const PacketMeta& meta = packet.meta();
    if (meta.l4_protocol != ip_protocol::udp) return false;
    if (meta.l4_length < sizeof(UdpHeader)) return false;
    if (meta.l4 + sizeof(UdpHeader) > packet.contiguous()) return false;
    if (meta.ip_version == 4 && meta.l4 - meta.l3 != sizeof(Ipv4Header)) return false;
    return packet.header<UdpHeader>(meta.l4).destination == be16(udp_port::roce_v2);
  }

  std::span<contract::PortCounters> ports_;
};

}  // namespace dp
