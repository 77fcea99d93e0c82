// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/parse_outer.hpp"

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/transport_checksum.hpp"
#include "dataplane/packet/udp_tunnel.hpp"
#include "dataplane/packet/vlan.hpp"
#include "pipelines/stages/neighbour_message.hpp"

#include <cstddef>

namespace dp {
namespace {

// 0 means that there is none (RFC 768). RFC 7348 §4.1 wants it so over IPv4, and RFC 6935 §5 allows
// it over IPv6 for the ports of tunnels; no other port gets past decapsulate.
template <class Ip>
bool udp_checksum_holds(Packet packet, const UdpTunnelHeader<Ip>& outer) noexcept {
  if (outer.udp.checksum == be16(0)) return true;
  constexpr std::uint16_t udp_offset = offsetof(UdpTunnelHeader<Ip>, udp);
  return transport_sum_holds(transport_sum(
      *packet.mbuf(), outer.ip,
      {.protocol = ip_protocol::udp, .offset = udp_offset, .bytes = outer.udp.length.host()}));
}

// The headers of IPv6 that may stand before a transport's (IANA, "IPv6 Extension Header Types").
bool is_extension_header(std::uint8_t next_header) noexcept {
  switch (next_header) {
    case 0:    // Hop-by-hop options.
    case 43:   // Routing.
    case 44:   // Fragment.
    case 50:   // ESP.
    case 51:   // Authentication.
    case 60:   // Destination options.
    case 135:  // Mobility.
    case 139:  // Host identity.
    case 140:  // Shim6.
    case 253:  // For experiments, as the next one.
    case 254: return true;
    default: return false;
  }
}

// The groups of a link that a host may be in: everybody, IPv4's and IPv6's, and of the reserved
// ones those of LLDP (IEEE 802.1AB table 7-1) and of the slow protocols (IEEE 802.3 annex 57A.3).
bool is_hosts_group(const base::MacAddress& destination) noexcept {
  const auto& bytes = destination.bytes;
  if (bytes[0] == 0x33 && bytes[1] == 0x33) return true;
  if (bytes[0] == 0x01 && bytes[1] == 0x00 && bytes[2] == 0x5e) return bytes[3] < 0x80;
  if (destination == base::MacAddress{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}) return true;
  const std::uint64_t reserved = destination.to_integer() ^ 0x0180'c200'0000;
  return reserved == 0x00 || reserved == 0x02 || reserved == 0x03 || reserved == 0x0e;
}

}  // namespace

Verdict ParseOuter::handle_ipv6(Packet packet) const noexcept {
  return is_plain<Ipv6Header>(packet, ipv6_) ? keep : handle_rest(packet);
}

Verdict ParseOuter::handle_rest(Packet packet) const noexcept {
  if (packet.contiguous() < sizeof(EthernetHeader)) return DropReason::frame_truncated;
  if (ethertype::is_vlan(packet.header<EthernetHeader>(0).type)) {
    const Verdict verdict = strip_priority_tag(packet);
    // The kernel may have VLANs of its own on the twin.
    if (verdict == DropReason::unknown_vlan && is_hosts_mac(packet)) return for_host_or(verdict);
    if (verdict != keep) return verdict;
  }
  const auto& ethernet = packet.header<EthernetHeader>(0);
  if (is_neighbour_message(packet, environment_.in_port->mac)) return for_host_or(punt);
  if (ethernet.destination != environment_.in_port->mac) {
    return is_hosts_group(ethernet.destination) ? for_host_or(DropReason::wrong_destination_mac)
                                                : DropReason::wrong_destination_mac;
  }
  if (ethernet.type == be16(ethertype::ipv6)) return judge_ipv6(packet);
  if (ethernet.type == be16(ethertype::ipv4)) return judge_ipv4(packet);
  return for_host_or(DropReason::ethertype_not_handled);
}

bool ParseOuter::is_hosts_mac(Packet packet) const noexcept {
  const base::MacAddress& destination = packet.header<EthernetHeader>(0).destination;
  return destination == environment_.in_port->mac || is_hosts_group(destination);
}

// A tag of VID 0 has only a priority: the frame is untagged (IEEE 802.1Q). At a port with a VLAN
// untag_frame has taken off the one that is right there.
Verdict ParseOuter::strip_priority_tag(Packet packet) const noexcept {
  if (packet.contiguous() < sizeof(EthernetHeader) + sizeof(VlanTag)) {
    return DropReason::frame_truncated;
  }
  const auto& tag = packet.header<VlanTag>(sizeof(EthernetHeader));
  if (environment_.in_port->vlan != 0 || tag.vid() != 0 || ethertype::is_vlan(tag.type)) {
    return DropReason::unknown_vlan;
  }
  strip_tag(packet);
  return keep;
}

Verdict ParseOuter::judge_ipv4(Packet packet) const noexcept {
  using Outer = UdpTunnelHeader<Ipv4Header>;
  constexpr std::uint32_t ip_end = sizeof(EthernetHeader) + sizeof(Ipv4Header);
  if (packet.contiguous() < ip_end) return DropReason::frame_truncated;
  const auto& ip = packet.header<Ipv4Header>(sizeof(EthernetHeader));
  if (ip.version() != 4) return DropReason::ipv4_bad_version;
  if (ip.header_bytes() < sizeof(Ipv4Header)) return DropReason::ipv4_bad_header_length;
  if (ip.header_bytes() > sizeof(Ipv4Header)) return for_host_or(DropReason::ipv4_options);
  const std::uint32_t total = ip.total_length.host();
  if (total < sizeof(Ipv4Header) || total > packet.length() - sizeof(EthernetHeader)) {
    return DropReason::ipv4_bad_total_length;
  }
  if (!checksum_holds(ip)) return DropReason::ipv4_bad_checksum;
  if (ip.is_fragment()) return for_host_or(DropReason::ipv4_fragment);
  if (ip.protocol != ip_protocol::udp) return for_host_or(DropReason::protocol_not_handled);
  if (packet.contiguous() < sizeof(Outer)) return DropReason::frame_truncated;
  const auto& outer = packet.header<Outer>(0);
  if (is_hosts_udp(outer.udp)) return divert;
  if (outer.udp.length.host() != total - sizeof(Ipv4Header) ||
      outer.udp.length.host() < sizeof(UdpHeader)) {
    return DropReason::udp_bad_length;
  }
  if (!udp_checksum_holds(packet, outer)) return DropReason::udp_bad_checksum;
  note<Ipv4Header>(packet.meta(), ip.tos, total - static_cast<unsigned>(sizeof(Ipv4Header)));
  return keep;
}

Verdict ParseOuter::judge_ipv6(Packet packet) const noexcept {
  using Outer = UdpTunnelHeader<Ipv6Header>;
  constexpr std::uint32_t ip_end = sizeof(EthernetHeader) + sizeof(Ipv6Header);
  if (packet.contiguous() < ip_end) return DropReason::frame_truncated;
  const auto& ip = packet.header<Ipv6Header>(sizeof(EthernetHeader));
  if (ip.version() != 6) return DropReason::ipv6_bad_version;
  const std::uint32_t payload = ip.payload_length.host();
  if (payload > packet.length() - ip_end) return DropReason::ipv6_bad_payload_length;
  if (ip.next_header != ip_protocol::udp) {
    return for_host_or(is_extension_header(ip.next_header) ? DropReason::ipv6_extension_header
                                                           : DropReason::protocol_not_handled);
  }
  if (payload < sizeof(UdpHeader)) return DropReason::udp_bad_length;
  if (packet.contiguous() < sizeof(Outer)) return DropReason::frame_truncated;
  const auto& outer = packet.header<Outer>(0);
  if (is_hosts_udp(outer.udp)) return divert;
  if (outer.udp.length.host() != payload) return DropReason::udp_bad_length;
  if (!udp_checksum_holds(packet, outer)) return DropReason::udp_bad_checksum;
  note<Ipv6Header>(packet.meta(), ip.traffic_class(), payload);
  return keep;
}

}  // namespace dp
