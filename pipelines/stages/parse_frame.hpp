// SPDX-License-Identifier: Apache-2.0
// parse_frame: finds the IP header of the carried frame behind up to two VLAN tags, checks that its
// lengths fit the frame, and hashes its flow. A frame without IP passes; a broken IP header dies.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/stages/flow_hash.hpp"

namespace dp {

// Where the frame lies, which decides what its ECN is compared with later.
enum class FramePlace : std::uint8_t {
  outermost,  // As received: its own TOS is the outermost one.
  in_tunnel,  // Behind a tunnel header that is gone: outer_tos is the tunnel's.
};

// keep where `bytes` from the front can be read in one piece.
inline Verdict reach(Packet packet, std::uint32_t bytes) noexcept {
  if (bytes <= packet.contiguous()) [[likely]]
    return keep;
  return bytes <= packet.length() ? DropReason::headers_segmented : DropReason::frame_truncated;
}

// Ports of a transport that has them, where they can be read; 0 otherwise. They only feed the hash,
// so a frame that ends early is no reason to die.
inline std::uint32_t read_ports(Packet packet, const PacketMeta& meta) noexcept {
  const bool has_ports =
      meta.l4_protocol == ip_protocol::udp || meta.l4_protocol == ip_protocol::tcp;
  if (!has_ports || meta.l4_length < 4 || meta.l4 + 4u > packet.contiguous()) return 0;
  return packet.header<be32>(meta.l4).raw();
}

inline Verdict parse_ipv4(Packet packet, std::uint16_t l3) noexcept {
  if (const Verdict verdict = reach(packet, l3 + sizeof(Ipv4Header)); verdict != keep) {
    return verdict;
  }
  const auto& ip = packet.header<Ipv4Header>(l3);
  if (ip.version() != 4) return DropReason::ipv4_bad_version;
  const unsigned header_bytes = ip.header_bytes();
  if (header_bytes < sizeof(Ipv4Header)) return DropReason::ipv4_bad_header_length;
  const unsigned total = ip.total_length.host();
  // Trailing bytes are Ethernet padding; missing bytes are damage.
  if (total < sizeof(Ipv4Header) || total > packet.length() - l3) {
    return DropReason::ipv4_bad_total_length;
  }
  if (header_bytes > total) return DropReason::ipv4_bad_header_length;

  PacketMeta& meta = packet.meta();
  meta.kind = PacketKind::ip;
  meta.ip_version = 4;
  meta.tos = ip.tos;
  meta.l3 = l3;
  meta.l4 = static_cast<std::uint16_t>(l3 + header_bytes);
  meta.l4_length = static_cast<std::uint16_t>(total - header_bytes);
  // All fragments of a datagram must hash alike, and only the first one has ports.
  meta.l4_protocol = ip.is_fragment() ? 0 : ip.protocol;
  meta.flow_hash = hash_flow(ip.source.raw(), ip.destination.raw(), read_ports(packet, meta));
  return keep;
}

// The rest of parse_frame_at: VLAN tags, IPv6, and what is no IP.
Verdict parse_tagged_or_other(Packet packet, std::uint16_t start) noexcept;

// Fills l3, l4, ip_version, l4_protocol, tos, l4_length, flow_hash and a first kind.
// `start` is the offset of the Ethernet header. Untagged IPv4 is inlined, for it is most of it.
inline Verdict parse_frame_at(Packet packet, std::uint16_t start) noexcept {
  if (const Verdict verdict = reach(packet, start + sizeof(EthernetHeader)); verdict != keep) {
    return verdict;
  }
  if (packet.header<EthernetHeader>(start).type == be16(ethertype::ipv4)) [[likely]]
    return parse_ipv4(packet, static_cast<std::uint16_t>(start + sizeof(EthernetHeader)));
  return parse_tagged_or_other(packet, start);
}

template <FramePlace place>
struct ParseFrame {
  static constexpr StageInfo info{
      .name = "parse_frame",
      .needs = place == FramePlace::outermost ? Facts{Fact::received}
                                              : Facts{Fact::outer_parsed, Fact::network},
      .sets = {Fact::parsed},
      .may_drop = {DropReason::frame_truncated, DropReason::headers_segmented,
                   DropReason::ipv4_bad_version, DropReason::ipv4_bad_header_length,
                   DropReason::ipv4_bad_total_length, DropReason::ipv6_bad_version,
                   DropReason::ipv6_bad_payload_length, DropReason::ethertype_not_handled}};

  explicit ParseFrame(const Environment&) noexcept {}

  Verdict handle(Packet packet) noexcept {
    const Verdict verdict = parse_frame_at(packet, 0);
    if constexpr (place == FramePlace::outermost) packet.meta().outer_tos = packet.meta().tos;
    return verdict;
  }
};

}  // namespace dp
