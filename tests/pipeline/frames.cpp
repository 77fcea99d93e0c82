// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/frames.hpp"

#include "dataplane/packet/udp_tunnel.hpp"

#include <cstring>
#include <type_traits>

namespace test {
namespace {

using base::be16;
using base::be32;

template <class Header>
void append(Bytes& frame, const Header& header) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
  frame.insert(frame.end(), bytes, bytes + sizeof header);
}

std::uint32_t read(const std::uint8_t* bytes, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

constexpr std::size_t bth_offset = 14 + 20 + 8;

template <class Ip, class Address>
Bytes wrap_in(const Bytes& inner, const Wrapping& wrapping, const Address& source,
              const Address& destination) {
  Bytes packet;
  auto outer =
      dp::prepare_udp_tunnel(dp::UdpTunnelAddresses<Ip>{.source_mac = mac("02:00:00:00:ff:02"),
                                                        .next_hop_mac = mac(wrapping.mac),
                                                        .source = source,
                                                        .destination = destination,
                                                        .ttl = 64,
                                                        .udp_destination = dp::udp_port::vxlan});
  std::uint32_t varying = 1;  // The flow label.
  if constexpr (std::is_same_v<Ip, dp::Ipv4Header>) varying = dp::constant_sum(outer.ip);
  dp::write_udp_tunnel(
      &outer, dp::front_of(outer), outer,
      {.varying = varying,
       .tos = wrapping.tos,
       .source_port = 50000,
       .payload_bytes = static_cast<std::uint16_t>(inner.size() + sizeof(dp::VxlanHeader))});
  append(packet, outer);
  append(packet, dp::VxlanHeader{.flags = be32(dp::VxlanHeader::valid_vni),
                                 .vni_reserved = be32(wrapping.vni << 8)});
  packet.insert(packet.end(), inner.begin(), inner.end());
  return packet;
}

}  // namespace

Bytes make(const RoceFrame& wanted) {
  Bytes frame;
  append(frame, dp::EthernetHeader{.destination = mac(wanted.destination_mac),
                                   .source = mac(wanted.source_mac),
                                   .type = be16(dp::ethertype::ipv4)});
  const auto udp_bytes = static_cast<std::uint16_t>(8 + 12 + wanted.payload + 4);
  dp::Ipv4Header ip{.version_ihl = 0x45,
                    .tos = wanted.tos,
                    .total_length = be16(static_cast<std::uint16_t>(20 + udp_bytes)),
                    .id = be16(7),
                    .flags_fragment = be16(0x4000),
                    .ttl = 64,
                    .protocol = dp::ip_protocol::udp,
                    .checksum = be16(0),
                    .source = be32(wanted.source_ip),
                    .destination = be32(wanted.destination_ip)};
  ip.checksum =
      be16::from_raw(static_cast<std::uint16_t>(~dp::fold(dp::sum_words(&ip, sizeof ip))));
  append(frame, ip);
  append(frame, dp::UdpHeader{.source = be16(wanted.source_port),
                              .destination = be16(dp::udp_port::roce_v2),
                              .length = be16(udp_bytes),
                              .checksum = be16(0)});
  append(frame, dp::BthHeader{.opcode = 0x07,
                              .flags = 0,
                              .partition_key = be16(0xffff),
                              .destination_qp_word = be32(wanted.qp),
                              .psn_word = be32(wanted.psn)});
  frame.resize(frame.size() + wanted.payload + 4, 0xa5);
  return frame;
}

Bytes wrap(const Bytes& inner, const Wrapping& wrapping) {
  const base::IpAddress source = ip(wrapping.source);
  const base::IpAddress destination = ip(wrapping.destination);
  if (!source.is_v4()) return wrap_in<dp::Ipv6Header>(inner, wrapping, source.v6, destination.v6);
  return wrap_in<dp::Ipv4Header>(inner, wrapping, source.v4(), destination.v4());
}

std::size_t tunnel_bytes_of(const std::uint8_t* packet) {
  return read(packet + 12, 2) == dp::ethertype::ipv4 ? tunnel_bytes : tunnel_bytes + 20;
}

std::uint16_t outer_source_port(const Bytes& packet) {
  return static_cast<std::uint16_t>(read(packet.data() + 34, 2));
}

std::uint32_t vni_of(const std::uint8_t* packet) {
  return read(packet + tunnel_bytes_of(packet) - 4, 3);
}

std::uint32_t outer_destination(const std::uint8_t* packet) {
  return read(packet + tunnel_bytes_of(packet) - 20, 4);
}

std::uint32_t psn_of(const Bytes& frame) {
  return read(frame.data() + bth_offset + 9, 3);
}

std::uint32_t qp_of(const Bytes& frame) {
  return read(frame.data() + bth_offset + 5, 3);
}

}  // namespace test
