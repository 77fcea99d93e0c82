// SPDX-License-Identifier: Apache-2.0
// The outer Ethernet, IP and UDP headers that every UDP tunnel has. They are prepared once per
// remote VTEP; per packet only TOS, lengths, IPv4 checksum, flow label and source port are written.
#pragma once

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

// What differs from packet to packet. `varying`: constant_sum() of an IPv4 header, the flow label
// of an IPv6 one. `payload_bytes` stand behind the UDP header, less than 64 KiB with it.
struct UdpTunnelPacket {
  std::uint32_t varying;
  std::uint8_t tos;
  std::uint16_t source_port;
  std::uint32_t payload_bytes;
};

// The first 16 bytes of a tunnelled frame, which have the MACs, as they lie in memory.
using UdpTunnelFront = std::array<std::uint64_t, 2>;

template <class Ip>
UdpTunnelFront front_of(const UdpTunnelHeader<Ip>& prepared) noexcept {
  UdpTunnelFront front;
  std::memcpy(&front, &prepared, sizeof front);
  return front;
}

namespace detail {

// Eight bytes of a prepared header, with what varies in fields that were zero, become eight bytes
// of a frame. Fields written one by one behind a copy cost twice the instructions, and a frame that
// is read again soon waits for all of those stores.
inline void put_word(void* to, std::size_t offset, std::uint64_t word) noexcept {
  std::memcpy(static_cast<std::uint8_t*>(to) + offset, &word, sizeof word);
}
inline std::uint64_t word_at(const void* from, std::size_t offset) noexcept {
  std::uint64_t word;
  std::memcpy(&word, static_cast<const std::uint8_t*>(from) + offset, sizeof word);
  return word;
}
// A field that starts `byte` bytes into its word.
constexpr std::uint64_t at_byte(std::uint64_t raw, unsigned byte) noexcept {
  return raw << (8 * byte);
}
static_assert(std::endian::native == std::endian::little, "the low bytes come first in memory");

}  // namespace detail

// The complete header, to anywhere; `front` instead of the first bytes of the prepared one.
inline void write_udp_tunnel(void* to, const UdpTunnelFront& front,
                             const UdpTunnelHeader<Ipv4Header>& prepared,
                             const UdpTunnelPacket& packet) noexcept {
  using namespace detail;
  // As it lies in memory. In 32 bits, which need no cutting off.
  const std::uint32_t total_length = base::swap_bytes(packet.payload_bytes + 28) >> 16;
  const std::uint32_t udp_length = packet.payload_bytes + 8;
  // The TOS is the low byte of the first word on the wire. Of a sum and its halves exchanged, the
  // upper half is both halves with the carry between them.
  const std::uint32_t sum = packet.varying + total_length + (std::uint32_t{packet.tos} << 8);
  const std::uint32_t checksum = ~(sum + std::rotl(sum, 16)) >> 16;

  put_word(to, 0, front[0]);
  put_word(to, 8, front[1] | at_byte(packet.tos, 7));
  put_word(to, 16, word_at(&prepared, 16) | total_length);
  put_word(to, 24, word_at(&prepared, 24) | checksum);
  // The source port two bytes into the word, the length in its last two.
  const std::uint64_t varying = std::uint64_t{packet.source_port} << 32 | udp_length;
  put_word(to, 32, word_at(&prepared, 32) | base::swap_bytes(varying));
  std::memset(static_cast<std::uint8_t*>(to) + 40, 0, 2);  // The UDP checksum.
}
inline void write_udp_tunnel(void* to, const UdpTunnelFront& front,
                             const UdpTunnelHeader<Ipv6Header>& prepared,
                             const UdpTunnelPacket& packet) noexcept {
  using namespace detail;
  const be16 length(static_cast<std::uint16_t>(packet.payload_bytes + 8));
  const std::uint32_t class_and_label =
      Ipv6Header::class_and_label(packet.tos, packet.varying).raw();

  put_word(to, 0, front[0]);
  put_word(to, 8, front[1] | at_byte(class_and_label & 0xffff, 6));
  put_word(to, 16, word_at(&prepared, 16) | class_and_label >> 16 | at_byte(length.raw(), 2));
  for (std::size_t offset = 24; offset < 48; offset += 8) {
    put_word(to, offset, word_at(&prepared, offset));
  }
  put_word(to, 48, word_at(&prepared, 48) | at_byte(be16(packet.source_port).raw(), 6));
  const be16 ports_and_length[]{prepared.udp.destination, length, be16(0)};
  std::memcpy(static_cast<std::uint8_t*>(to) + 56, ports_and_length, sizeof ports_and_length);
}

}  // namespace dp
