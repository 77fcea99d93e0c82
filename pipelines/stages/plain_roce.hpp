// SPDX-License-Identifier: Apache-2.0
// Most frames of a training cluster by one look: untagged RoCEv2, over IPv4 without options or IPv6
// without extension headers, whole and sound, which is where everything lies at a fixed offset.
// parse_frame and classify_roce judge all others step by step, and find the same of these
// (tests/pipeline/plain_roce.cpp); this spares a quarter of their instructions.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"
#include "dataplane/packet/pattern.hpp"
#include "dataplane/packet/plain_udp.hpp"
#include "pipelines/stages/identify_roce.hpp"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace dp {

// The frame from its first byte to what identify_roce reads.
template <class Ip>
struct PlainRoceFrame {
  EthernetHeader ethernet;
  Ip ip;
  UdpHeader udp;
  RoceHead roce;
};

// Where the patterns begin: so that IPv4's ends with the UDP destination port, and asks for that
// too.
inline constexpr std::size_t plain_roce_start =
    offsetof(PlainRoceFrame<Ipv4Header>, udp.length) - Pattern::size;
inline constexpr Pattern plain_roce_ipv4 = [] {
  Pattern pattern;
  ask_for_plain_ipv4_udp(pattern, plain_roce_start);
  pattern.ask(Pattern::size - 2, udp_port::roce_v2 >> 8);
  pattern.ask(Pattern::size - 1, udp_port::roce_v2 & 0xff);
  return pattern;
}();
inline constexpr Pattern plain_roce_ipv6 = [] {
  Pattern pattern;
  ask_for_plain_ipv6_udp(pattern, plain_roce_start);
  return pattern;
}();

// Fills what parse_frame and classify_roce do, and says whether it could.
template <class Ip>
bool recognize_plain_roce(Packet packet, const Pattern& pattern) noexcept {
  using Frame = PlainRoceFrame<Ip>;
  if (packet.contiguous() < sizeof(Frame)) [[unlikely]]  // Nothing is so short.
    return false;
  const std::uint8_t* data = packet.data();
  const auto& frame = *reinterpret_cast<const Frame*>(data);
  // Below its own header's length it becomes a very large number.
  const std::uint32_t l4_length = l4_length_of(frame.ip);
  const std::uint8_t tos = tos_of(frame.ip);
  constexpr bool is_ipv4 = std::is_same_v<Ip, Ipv4Header>;
  const bool is_plain = pattern.matches(data + plain_roce_start) &&
                        (is_ipv4 || frame.udp.destination == be16(udp_port::roce_v2)) &&
                        frame.udp.length.host() == l4_length &&
                        l4_length <= packet.length() - offsetof(Frame, udp);
  if (!is_plain) return false;
  const RoceIdentity identity = identify_roce(frame.roce, l4_length);
  if (identity.kind == PacketKind::roce_malformed) [[unlikely]]  // classify_roce says so.
    return false;

  PacketMeta& meta = packet.meta();
  meta.set_offsets(offsetof(Frame, ip), offsetof(Frame, udp));
  meta.ip_version = is_ipv4 ? 4 : 6;
  meta.l4_protocol = ip_protocol::udp;
  meta.tos = tos;
  meta.kind = identity.kind;
  meta.l4_length = static_cast<std::uint16_t>(l4_length);
  meta.destination_qp = identity.destination_qp;
  return true;
}

// Over IPv6 behind a call, for the sake of IPv4's loop.
bool recognize_plain_roce_ipv6(Packet packet) noexcept;

inline bool recognize_plain_roce(Packet packet) noexcept {
  return recognize_plain_roce<Ipv4Header>(packet, plain_roce_ipv4) ||
         recognize_plain_roce_ipv6(packet);
}

}  // namespace dp
