// SPDX-License-Identifier: Apache-2.0
// Most frames of a training cluster by one look: RoCEv2 over untagged IPv4 without options, whole
// and sound, which is where everything lies at a fixed offset. parse_frame and classify_roce judge
// all others step by step, and find the same of these (tests/pipeline/plain_roce.cpp); this spares
// a quarter of their instructions.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"
#include "dataplane/packet/plain_ipv4.hpp"
#include "pipelines/stages/identify_roce.hpp"

#include <cstddef>
#include <cstdint>

namespace dp {

// The frame from its first byte to what identify_roce reads.
struct PlainRoceFrame {
  EthernetHeader ethernet;
  Ipv4Header ip;
  UdpHeader udp;
  RoceHead roce;
};

// Fills what parse_frame and classify_roce do, and says whether it could.
inline bool recognize_plain_roce(Packet packet) noexcept {
  if (packet.contiguous() < sizeof(PlainRoceFrame)) [[unlikely]]  // Nothing is so short.
    return false;
  const auto& frame = packet.header<PlainRoceFrame>(0);
  const std::uint32_t l4_length = frame.ip.total_length.host() - std::uint32_t{sizeof(Ipv4Header)};
  const std::uint32_t destination_and_length =
      be32::from_raw(word_at<offsetof(PlainRoceFrame, udp.destination)>(frame)).host();
  const std::uint8_t tos = frame.ip.tos;
  const bool is_plain =
      is_plain_ipv4_udp(frame) &&
      destination_and_length == (std::uint32_t{udp_port::roce_v2} << 16 | l4_length) &&
      l4_length <= packet.length() - offsetof(PlainRoceFrame, udp);
  if (!is_plain) return false;
  const RoceIdentity identity = identify_roce(frame.roce, l4_length);
  if (identity.kind == PacketKind::roce_malformed) [[unlikely]]  // classify_roce says so.
    return false;

  PacketMeta& meta = packet.meta();
  meta.l3 = offsetof(PlainRoceFrame, ip);
  meta.l4 = offsetof(PlainRoceFrame, udp);
  meta.ip_version = 4;
  meta.l4_protocol = ip_protocol::udp;
  meta.tos = tos;
  meta.kind = identity.kind;
  meta.l4_length = static_cast<std::uint16_t>(l4_length);
  meta.destination_qp = identity.destination_qp;
  return true;
}

}  // namespace dp
