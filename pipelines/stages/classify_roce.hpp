// SPDX-License-Identifier: Apache-2.0
// classify_roce: which RoCE operation is this, and to which QP? It never drops: what is no valid
// RoCEv2 packet is carried like any other, and a receiver discards it (IBTA A17 CA17-24).
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/stages/bth.hpp"

namespace dp {

inline constexpr unsigned icrc_bytes = 4;
// Of a RoCEv2 packet, UDP header included.
inline constexpr unsigned roce_bytes_min = sizeof(UdpHeader) + sizeof(BthHeader) + icrc_bytes;

// An acknowledgement's fate stands in its AETH syndrome (IBTA volume 1 table 44): bits 7-5 are
// 000 ACK, 001 RNR NAK, 011 NAK, and nothing else.
inline PacketKind acknowledge_kind(std::uint8_t syndrome) noexcept {
  switch (syndrome >> 5) {
    case 0: return PacketKind::roce_ack;
    case 1: return PacketKind::roce_rnr_nak;
    case 3: return PacketKind::roce_nak;
    default: return PacketKind::roce_malformed;
  }
}

// What lies behind the UDP header; of the AETH, which only some packets have, its first byte.
struct RoceHead {
  BthHeader bth;
  std::uint8_t syndrome;
};
static_assert(sizeof(RoceHead) == 13);

struct RoceIdentity {
  PacketKind kind = PacketKind::roce_malformed;
  std::uint32_t destination_qp = 0;
};

// IPv4 with options is no RoCE (CA17-3), nor is a fragment (CA17-8) or an IPv6 extension header
// (CA17-16); of the latter two, the parser left no l4_protocol.
inline bool has_ipv4_options(const PacketMeta& meta) noexcept {
  return meta.ip_version == 4 && meta.l4 - meta.l3 != sizeof(Ipv4Header);
}

// `udp_length` as the UDP header has it; the IP length agrees with it.
inline RoceIdentity identify_roce(const RoceHead& head, unsigned udp_length) noexcept {
  if (head.bth.transport_version() != 0) return {};
  const OpcodeMeaning meaning = bth::meanings[head.bth.opcode];
  const unsigned least = sizeof(UdpHeader) + sizeof(BthHeader) + meaning.extension_bytes +
                         head.bth.pad_count() + icrc_bytes;
  if (udp_length < least) return {};

  RoceIdentity identity{.kind = meaning.kind, .destination_qp = head.bth.destination_qp()};
  if (identity.kind == PacketKind::roce_ack) {
    identity.kind = acknowledge_kind(head.syndrome);
  } else if (identity.kind == PacketKind::roce_ud &&
             identity.destination_qp == bth::general_services_qp) {
    identity.kind = PacketKind::roce_cm;
  }
  return identity;
}

// Refines the kind of a UDP packet that is too short for RoCE.
void classify_short(Packet packet) noexcept;

struct ClassifyRoce {
  static constexpr StageInfo info{
      .name = "classify_roce", .needs = {Fact::parsed}, .sets = {Fact::kind}, .may_drop = {}};

  explicit ClassifyRoce(const Environment& environment) noexcept
      : ports_(environment.counters.ports) {}

  Verdict handle(Packet packet) noexcept {
    PacketMeta& meta = packet.meta();
    if (meta.l4_protocol == ip_protocol::udp) [[likely]]
      classify_udp(packet);
    // The outermost ECN: what the fabric said about the path so far.
    contract::add(ports_[meta.in_port.value]
                      .rx_kinds[static_cast<std::size_t>(meta.kind)][meta.outer_tos & 3],
                  1);
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
};

}  // namespace dp
