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

#include <rte_mbuf.h>

namespace dp {

inline constexpr unsigned icrc_bytes = 4;

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

// Refines kind, destination_qp and flow_hash of a packet whose UDP destination is 4791.
// Here to be inlined: RoCE is the common case, and the call alone would be a sixth of it.
inline void classify_roce_v2(Packet packet) noexcept {
  PacketMeta& meta = packet.meta();
  meta.kind = PacketKind::roce_malformed;
  const auto& udp = packet.header<UdpHeader>(meta.l4);
  // CA17-6, CA17-15, CA17-21: IP and UDP lengths agree and include the ICRC.
  const unsigned udp_length = udp.length.host();
  if (udp_length != meta.l4_length) return;
  if (udp_length < sizeof(UdpHeader) + sizeof(BthHeader) + icrc_bytes) return;

  // BTH and AETH may lie in a later segment; then they are copied out to be read.
  struct {
    BthHeader bth;
    std::uint8_t syndrome;
  } copy;
  static_assert(sizeof copy == 13);
  const auto* head = static_cast<const decltype(copy)*>(
      rte_pktmbuf_read(packet.mbuf(), meta.l4 + sizeof(UdpHeader), sizeof copy, &copy));
  if (head == nullptr || head->bth.transport_version() != 0) return;

  const BthHeader& header = head->bth;
  const OpcodeMeaning meaning = bth::meanings[header.opcode];
  const unsigned least = sizeof(UdpHeader) + sizeof(BthHeader) + meaning.extension_bytes +
                         header.pad_count() + icrc_bytes;
  if (udp_length < least) return;

  meta.kind = meaning.kind;
  meta.destination_qp = header.destination_qp();
  meta.flow_hash = add_to_hash(meta.flow_hash, meta.destination_qp);
  if (meta.kind == PacketKind::roce_ack) {
    meta.kind = acknowledge_kind(head->syndrome);
  } else if (meta.kind == PacketKind::roce_ud && meta.destination_qp == bth::general_services_qp) {
    meta.kind = PacketKind::roce_cm;
  }
}

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
