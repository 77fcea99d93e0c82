// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/classify_roce.hpp"

#include <rte_mbuf.h>

namespace dp {
namespace {

constexpr unsigned icrc_bytes = 4;

// An acknowledgement's fate stands in its AETH syndrome (IBTA volume 1 table 44): bits 7-5 are
// 000 ACK, 001 RNR NAK, 011 NAK, and nothing else.
PacketKind acknowledge_kind(std::uint8_t syndrome) noexcept {
  switch (syndrome >> 5) {
    case 0: return PacketKind::roce_ack;
    case 1: return PacketKind::roce_rnr_nak;
    case 3: return PacketKind::roce_nak;
    default: return PacketKind::roce_malformed;
  }
}

}  // namespace

void classify_roce_v2(Packet packet) noexcept {
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

}  // namespace dp
