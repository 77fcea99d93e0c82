// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/classify_roce.hpp"

#include <rte_mbuf.h>

namespace dp {

void classify_scattered(Packet packet) noexcept {
  PacketMeta& meta = packet.meta();
  if (meta.l4_length < sizeof(UdpHeader) || meta.l4 + sizeof(UdpHeader) > packet.contiguous()) {
    return;
  }
  const auto& udp = packet.header<UdpHeader>(meta.l4);
  if (udp.destination != be16(udp_port::roce_v2) || has_ipv4_options(meta)) return;

  RoceIdentity identity;
  const bool long_enough = meta.l4_length >= roce_bytes_min && udp.length.host() == meta.l4_length;
  // BTH and AETH are copied out to be read.
  RoceHead copy;
  const auto* head = static_cast<const RoceHead*>(
      rte_pktmbuf_read(packet.mbuf(), meta.l4 + sizeof(UdpHeader), sizeof copy, &copy));
  if (long_enough && head != nullptr) identity = identify_roce(*head, meta.l4_length);
  meta.kind = identity.kind;
  meta.destination_qp = identity.destination_qp;
}

}  // namespace dp
