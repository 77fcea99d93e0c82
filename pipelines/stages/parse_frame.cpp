// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/parse_frame.hpp"

#include "dataplane/packet/headers.hpp"

namespace dp {
namespace {

constexpr std::uint16_t ethertype_mac_control = 0x8808;  // IEEE 802.3 clause 31; 802.1Qbb.

Verdict parse_ipv4(Packet packet, std::uint16_t l3) noexcept {
  if (l3 + sizeof(Ipv4Header) > packet.contiguous()) return DropReason::frame_truncated;
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
  note_ipv4(packet, l3, header_bytes, total);
  return keep;
}

Verdict parse_ipv6(Packet packet, std::uint16_t l3) noexcept {
  if (l3 + sizeof(Ipv6Header) > packet.contiguous()) return DropReason::frame_truncated;
  const auto& ip = packet.header<Ipv6Header>(l3);
  if (ip.version() != 6) return DropReason::ipv6_bad_version;
  const unsigned payload = ip.payload_length.host();
  if (payload > packet.length() - l3 - sizeof(Ipv6Header)) {
    return DropReason::ipv6_bad_payload_length;
  }

  PacketMeta& meta = packet.meta();
  meta.kind = PacketKind::ip;
  meta.ip_version = 6;
  meta.tos = ip.traffic_class();
  meta.l3 = l3;
  meta.l4 = static_cast<std::uint16_t>(l3 + sizeof(Ipv6Header));
  meta.l4_length = static_cast<std::uint16_t>(payload);
  // An extension header's number is no transport's, so nothing behind it is read as one.
  meta.l4_protocol = ip.next_header;
  return keep;
}

// Neither IPv4 nor IPv6.
void parse_other(Packet packet, std::uint16_t type) noexcept {
  PacketMeta& meta = packet.meta();
  meta.kind = type == ethertype::roce_v1 ? PacketKind::roce_v1 : PacketKind::not_ip;
  meta.ip_version = 0;
  meta.tos = 0;
  meta.l4_protocol = 0;
}

}  // namespace

bool recognize_plain_roce_ipv6(Packet packet) noexcept {
  return recognize_plain_roce<Ipv6Header>(packet, plain_roce_ipv6);
}

Verdict parse_other_frame(Packet packet, std::uint16_t start) noexcept {
  if (start + sizeof(EthernetHeader) > packet.contiguous()) return DropReason::frame_truncated;
  std::uint16_t type = packet.header<EthernetHeader>(start).type.host();
  auto l3 = static_cast<std::uint16_t>(start + sizeof(EthernetHeader));
  // Two tags: what 802.1ad allows. A third one is carried like any unknown EtherType.
  for (int tags = 0; tags < 2; ++tags) {
    if (type != ethertype::vlan && type != ethertype::vlan_service) break;
    if (l3 + sizeof(VlanTag) > packet.contiguous()) return DropReason::frame_truncated;
    type = packet.header<VlanTag>(l3).type.host();
    l3 = static_cast<std::uint16_t>(l3 + sizeof(VlanTag));
  }
  if (type == ethertype::ipv4) return parse_ipv4(packet, l3);
  if (type == ethertype::ipv6) return parse_ipv6(packet, l3);
  // Pause and PFC frames concern one link: carried on, they would stop others.
  if (type == ethertype_mac_control) return DropReason::ethertype_not_handled;
  parse_other(packet, type);
  return keep;
}

}  // namespace dp
