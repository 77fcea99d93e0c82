// SPDX-License-Identifier: Apache-2.0
// The outer Ethernet, IPv4 and UDP headers that every UDP tunnel has. They are prepared once per
// remote VTEP; per packet only TOS, lengths, checksum and source port are written.
#pragma once

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"

#include <cstdint>

namespace dp {

struct UdpTunnelHeader {
  EthernetHeader ethernet;
  Ipv4Header ip;
  UdpHeader udp;
};
static_assert(sizeof(UdpTunnelHeader) == 42);

struct UdpTunnelAddresses {
  base::MacAddress source_mac;
  base::MacAddress next_hop_mac;
  be32 source;
  be32 destination;
  std::uint8_t ttl;
  std::uint16_t udp_destination;
};

// TOS, lengths, UDP source port and the IPv4 checksum are left zero. The UDP checksum stays zero,
// as RFC 7348 §4.1 wants it over IPv4. DF is set and the ID is 0: an atomic datagram (RFC 6864
// §4.1).
constexpr UdpTunnelHeader prepare_udp_tunnel(const UdpTunnelAddresses& a) noexcept {
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
          .udp = {.source = be16(0),
                  .destination = be16(a.udp_destination),
                  .length = be16(0),
                  .checksum = be16(0)}};
}

// The part of the IPv4 checksum that is the same for all packets.
inline std::uint32_t constant_sum(const Ipv4Header& prepared) noexcept {
  return fold(sum_words(&prepared, sizeof prepared));
}

// Completes the headers for `payload_bytes` behind the UDP header.
inline void complete_udp_tunnel(UdpTunnelHeader& header, std::uint32_t sum_before, std::uint8_t tos,
                                std::uint16_t source_port, std::uint16_t payload_bytes) noexcept {
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

}  // namespace dp
