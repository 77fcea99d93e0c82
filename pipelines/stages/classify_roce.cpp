// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/classify_roce.hpp"

namespace dp {

void classify_short(Packet packet) noexcept {
  PacketMeta& meta = packet.meta();
  if (meta.l4_length < sizeof(UdpHeader) || meta.l4 + sizeof(UdpHeader) > packet.contiguous()) {
    return;
  }
  const auto& udp = packet.header<UdpHeader>(meta.l4);
  if (udp.destination != be16(udp_port::roce_v2) || has_ipv4_options(meta)) return;
  meta.kind = PacketKind::roce_malformed;
}

}  // namespace dp
