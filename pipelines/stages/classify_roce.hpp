// SPDX-License-Identifier: Apache-2.0
// classify_roce: which RoCE operation is this, and to which QP? It never drops: what is no valid
// RoCEv2 packet is carried like any other, and a receiver discards it (IBTA A17 CA17-24).
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/stages/identify_roce.hpp"

namespace dp {

// Of a RoCEv2 packet, UDP header included.
inline constexpr unsigned roce_bytes_min = sizeof(UdpHeader) + sizeof(BthHeader) + icrc_bytes;

// IPv4 with options is no RoCE (CA17-3), nor is a fragment (CA17-8) or an IPv6 extension header
// (CA17-16); of the latter two, the parser left no l4_protocol.
inline bool has_ipv4_options(const PacketMeta& meta) noexcept {
  return meta.ip_version == 4 && meta.l4 - meta.l3 != sizeof(Ipv4Header);
}

// Refines the kind of a UDP packet that is too short for RoCE.
void classify_short(Packet packet) noexcept;

struct ClassifyRoce {
  static constexpr StageInfo info{
      .name = "classify_roce", .needs = {Fact::parsed}, .sets = {Fact::kind}, .may_drop = {}};

  explicit ClassifyRoce(const Environment& environment) noexcept
      : ports_(environment.counters.ports), kinds_(&ports_[0].rx_kinds) {}

  Verdict handle(Packet packet) noexcept {
    PacketMeta& meta = packet.meta();
    // parse_frame recognizes most of RoCE at once.
    if (meta.kind == PacketKind::ip && meta.l4_protocol == ip_protocol::udp) [[unlikely]]
      classify_udp(packet);
    if (meta.in_port != last_) {
      last_ = meta.in_port;
      kinds_ = &ports_[last_.value].rx_kinds;
    }
    // The outermost ECN: what the fabric said about the path so far.
    contract::add((*kinds_)[static_cast<std::size_t>(meta.kind)][meta.outer_tos & 3], 1);
    return keep;
  }

 private:
  static void classify_udp(Packet packet) noexcept {
    struct Head {
      UdpHeader udp;
      RoceHead roce;
    };
    PacketMeta& meta = packet.meta();
    const unsigned l4_length = meta.l4_length;
    if (meta.l4 + sizeof(Head) > packet.contiguous() || l4_length < roce_bytes_min) [[unlikely]] {
      classify_short(packet);
      return;
    }
    const auto& head = packet.header<Head>(meta.l4);
    if (head.udp.destination != be16(udp_port::roce_v2) || has_ipv4_options(meta)) return;
    // CA17-6, CA17-15, CA17-21: IP and UDP lengths agree and include the ICRC.
    const RoceIdentity identity =
        head.udp.length.host() == l4_length ? identify_roce(head.roce, l4_length) : RoceIdentity{};
    meta.kind = identity.kind;
    meta.destination_qp = identity.destination_qp;
  }

  std::span<contract::PortCounters> ports_;
  // Where the packet before came in: mostly this one did, too.
  PortId last_{0};
  decltype(contract::PortCounters::rx_kinds)* kinds_;
};

}  // namespace dp
