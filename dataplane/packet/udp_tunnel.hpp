// SPDX-License-Identifier: Apache-2.0
// The outer Ethernet, IP and UDP headers that every UDP tunnel has. They are prepared once per
// remote VTEP; per packet only TOS, lengths, IPv4 checksum, flow label and source port are written.
#pragma once

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"

#include <cstdint>
#include <type_traits>

namespace dp {

template <class Ip>
struct UdpTunnelHeader {
  EthernetHeader ethernet;
  Ip ip;
  UdpHeader udp;
};
static_assert(sizeof(UdpTunnelHeader<Ipv4Header>) == 42);
static_assert(sizeof(UdpTunnelHeader<Ipv6Header>) == 62);

inline constexpr std::size_t udp_tunnel_bytes_max = sizeof(UdpTunnelHeader<Ipv6Header>);

template <class Ip>
struct UdpTunnelAddresses {
  base::MacAddress source_mac;
  base::MacAddress next_hop_mac;
  decltype(Ip::source) source;
  decltype(Ip::source) destination;
  std::uint8_t ttl;
  std::uint16_t udp_destination;
};

constexpr UdpHeader prepare_udp(std::uint16_t destination) noexcept {
  return {
      .source = be16(0), .destination = be16(destination), .length = be16(0), .checksum = be16(0)};
}

// TOS, lengths, UDP source port and the IPv4 checksum are left zero. The UDP checksum stays zero,
// as RFC 7348 §4.1 wants it over IPv4, unless it is asked for. DF is set and the ID is 0: an atomic
// datagram (RFC 6864 §4.1).
constexpr UdpTunnelHeader<Ipv4Header> prepare_udp_tunnel(
    const UdpTunnelAddresses<Ipv4Header>& a) noexcept {
  return {.ethernet = {.destination = a.next_hop_mac,
                       .source = a.source_mac,
                       .type = be16(ethertype::ipv4)},
          .ip = {.version_ihl = Ipv4Header::plain,
                 .tos = 0,
                 .total_length = be16(0),
                 .id = be16(0),
                 .flags_fragment = be16(0x4000),
                 .ttl = a.ttl,
                 .protocol = ip_protocol::udp,
                 .checksum = be16(0),
                 .source = a.source,
                 .destination = a.destination},
          .udp = prepare_udp(a.udp_destination)};
}

// The same over IPv6, where RFC 6935 §5 allows a tunnel a UDP checksum of zero: what it carries has
// its own, RoCE the ICRC.
constexpr UdpTunnelHeader<Ipv6Header> prepare_udp_tunnel(
    const UdpTunnelAddresses<Ipv6Header>& a) noexcept {
  return {.ethernet = {.destination = a.next_hop_mac,
                       .source = a.source_mac,
                       .type = be16(ethertype::ipv6)},
          .ip = {.version_class_label = Ipv6Header::class_and_label(0, 0),
                 .payload_length = be16(0),
                 .next_header = ip_protocol::udp,
                 .hop_limit = a.ttl,
                 .source = a.source,
                 .destination = a.destination},
          .udp = prepare_udp(a.udp_destination)};
}

// The part of the IPv4 checksum that is the same for all packets.
inline std::uint32_t constant_sum(const Ipv4Header& prepared) noexcept {
  return fold(sum_words(&prepared, sizeof prepared));
}

// Completes the headers for `payload_bytes` behind the UDP header.
inline void complete_udp_tunnel(UdpTunnelHeader<Ipv4Header>& header, std::uint32_t sum_before,
                                std::uint8_t tos, std::uint16_t source_port,
                                std::uint16_t payload_bytes) noexcept {
  const be16 total_length(static_cast<std::uint16_t>(payload_bytes + 28));
  header.ip.tos = tos;
  header.ip.total_length = total_length;
  // The TOS is the low byte of the first word on the wire.
  // Three 16-bit words: two rounds fold their sum.
  std::uint32_t sum = sum_before + total_length.raw() + be16(tos).raw();
  sum = (sum & 0xffff) + (sum >> 16);
  sum += sum >> 16;
  header.ip.checksum = be16::from_raw(static_cast<std::uint16_t>(~sum));
  header.udp.source = be16(source_port);
  header.udp.length = be16(static_cast<std::uint16_t>(payload_bytes + 8));
}
inline void complete_udp_tunnel(UdpTunnelHeader<Ipv6Header>& header, std::uint32_t flow_label,
                                std::uint8_t tos, std::uint16_t source_port,
                                std::uint16_t payload_bytes) noexcept {
  const be16 length(static_cast<std::uint16_t>(payload_bytes + 8));
  header.ip.version_class_label = Ipv6Header::class_and_label(tos, flow_label);
  header.ip.payload_length = length;
  header.udp.source = be16(source_port);
  header.udp.length = length;
}

}  // namespace dp
