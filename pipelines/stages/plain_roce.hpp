// SPDX-License-Identifier: Apache-2.0
// Most frames of a training cluster by one look: RoCEv2 over untagged IPv4 without options, whole
// and sound, which is where everything lies at a fixed offset. parse_frame and classify_roce judge
// all others step by step, and find the same of these (tests/pipeline/plain_roce.cpp); this spares
// a quarter of their instructions.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"
#include "dataplane/packet/pattern.hpp"
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

// From the EtherType to the flags of the BTH.
inline constexpr std::size_t plain_roce_start = offsetof(EthernetHeader, type);
inline constexpr Pattern plain_roce_pattern = [] {
  Pattern pattern;
  ask_for_plain_ipv4_udp(pattern, plain_roce_start);
  constexpr std::size_t port = offsetof(PlainRoceFrame, udp.destination) - plain_roce_start;
  pattern.ask(port, udp_port::roce_v2 >> 8);
  pattern.ask(port + 1, udp_port::roce_v2 & 0xff);
  return pattern;
}();

// Fills what parse_frame and classify_roce do, and says whether it could.
inline bool recognize_plain_roce(Packet packet) noexcept {
  if (packet.contiguous() < sizeof(PlainRoceFrame)) [[unlikely]]  // Nothing is so short.
    return false;
  const std::uint8_t* data = packet.data();
  const auto& frame = *reinterpret_cast<const PlainRoceFrame*>(data);
  const std::uint32_t l4_length = frame.ip.total_length.host() - std::uint32_t{sizeof(Ipv4Header)};
  const std::uint8_t tos = frame.ip.tos;
  const bool is_plain = plain_roce_pattern.matches(data + plain_roce_start) &&
                        frame.udp.length.host() == l4_length &&
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
