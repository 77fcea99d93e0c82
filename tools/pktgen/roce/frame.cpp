// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/roce/frame.hpp"

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/icrc.hpp"

#include <cstring>

namespace pktgen {

namespace {

using base::be16;
using base::be32;
using base::be64;

template <class T>
std::uint8_t* put(std::uint8_t* position, const T& value) noexcept {
  static_assert(alignof(T) == 1, "headers lie at any offset");
  std::memcpy(position, &value, sizeof value);
  return position + sizeof value;
}

struct IpFields {
  const base::IpAddress& source;
  const base::IpAddress& destination;
  std::uint8_t tos;
  std::uint8_t ttl;
  std::uint16_t identification;
  std::uint32_t flow_label;
};

// Ethernet's type follows from the family; both count `udp_bytes`.
std::uint8_t* put_ip(std::uint8_t* position, const IpFields& fields,
                     std::size_t udp_bytes) noexcept {
  if (!fields.source.is_v4()) {
    return put(position, dp::Ipv6Header{
                             .version_class_label =
                                 dp::Ipv6Header::class_and_label(fields.tos, fields.flow_label),
                             .payload_length = be16(static_cast<std::uint16_t>(udp_bytes)),
                             .next_header = dp::ip_protocol::udp,
                             .hop_limit = fields.ttl,
                             .source = fields.source.v6,
                             .destination = fields.destination.v6,
                         });
  }
  dp::Ipv4Header header{
      .version_ihl = dp::Ipv4Header::plain,
      .tos = fields.tos,
      .total_length = be16(static_cast<std::uint16_t>(sizeof(dp::Ipv4Header) + udp_bytes)),
      .id = be16(fields.identification),
      .flags_fragment = be16(0x4000),  // DF, as A17's CA17-7 demands.
      .ttl = fields.ttl,
      .protocol = dp::ip_protocol::udp,
      .checksum = be16(0),
      .source = fields.source.v4(),
      .destination = fields.destination.v4(),
  };
  const std::uint16_t sum = dp::fold(dp::sum_words(&header, sizeof header));
  header.checksum = be16::from_raw(static_cast<std::uint16_t>(~sum));
  return put(position, header);
}

std::uint8_t* put_ethernet(std::uint8_t* position, const base::MacAddress& destination,
                           const base::MacAddress& source, bool is_v4) noexcept {
  return put(position, dp::EthernetHeader{
                           .destination = destination,
                           .source = source,
                           .type = be16(is_v4 ? dp::ethertype::ipv4 : dp::ethertype::ipv6),
                       });
}

std::uint8_t* put_udp(std::uint8_t* position, std::uint16_t source, std::uint16_t destination,
                      std::size_t bytes) noexcept {
  return put(position, dp::UdpHeader{
                           .source = be16(source),
                           .destination = be16(destination),
                           .length = be16(static_cast<std::uint16_t>(bytes)),
                           .checksum = be16(0),
                       });
}

unsigned pad_count(const RocePacket& packet) noexcept {
  return static_cast<unsigned>(0 - packet.payload.size()) % 4;
}

std::uint8_t* put_bth(std::uint8_t* position, const RocePacket& packet) noexcept {
  const unsigned flags = (packet.is_solicited ? 0x80u : 0) | (packet.has_migrated ? 0x40u : 0) |
                         pad_count(packet) << 4;
  const std::uint32_t notification = (packet.fecn ? 1u << 31 : 0) | (packet.becn ? 1u << 30 : 0);
  return put(position,
             dp::BthHeader{
                 .opcode = packet.opcode,
                 .flags = static_cast<std::uint8_t>(flags),
                 .partition_key = be16(packet.partition_key),
                 .destination_qp_word = be32(notification | (packet.destination_qp & mask_24)),
                 .psn_word = be32((packet.wants_ack ? 1u << 31 : 0) | (packet.psn & mask_24)),
             });
}

std::uint8_t* put_reth(std::uint8_t* position, const Reth& reth) noexcept {
  position = put(position, be64(reth.address));
  position = put(position, be32(reth.key));
  return put(position, be32(reth.bytes));
}

std::uint8_t* put_extensions(std::uint8_t* position, const RocePacket& packet) noexcept {
  const unsigned bits = extensions_of(packet.opcode);
  if ((bits & extension::deth) != 0) {
    position = put(position, be32(packet.deth.key));
    position = put(position, be32(packet.deth.source_qp & mask_24));
  }
  if ((bits & extension::feth) != 0) position = put(position, be32(packet.flush_types));
  if ((bits & extension::reth) != 0) position = put_reth(position, packet.reth);
  if ((bits & extension::atomic) != 0) {
    position = put(position, be64(packet.atomic.address));
    position = put(position, be32(packet.atomic.key));
    position = put(position, be64(packet.atomic.swap_or_add));
    position = put(position, be64(packet.atomic.compare));
  }
  if ((bits & extension::aeth) != 0) {
    const std::uint32_t kind = std::uint32_t{packet.aeth.syndrome} << 24;
    position = put(position, be32(kind | (packet.aeth.msn & mask_24)));
  }
  if ((bits & extension::atomic_ack) != 0) position = put(position, be64(packet.atomic_original));
  if ((bits & extension::immediate) != 0) position = put(position, be32(packet.immediate));
  if ((bits & extension::invalidate) != 0) position = put(position, be32(packet.invalidated_key));
  if ((bits & extension::cnp_reserved) != 0) {
    std::memset(position, 0, 16);
    position += 16;
  }
  return position;
}

std::size_t udp_bytes_of(const RocePacket& packet) noexcept {
  return sizeof(dp::UdpHeader) + sizeof(dp::BthHeader) + extension_bytes(packet.opcode) +
         packet.payload.size() + pad_count(packet) + dp::icrc_bytes;
}

std::size_t ip_header_bytes(const base::IpAddress& address) noexcept {
  return address.is_v4() ? sizeof(dp::Ipv4Header) : sizeof(dp::Ipv6Header);
}

}  // namespace

std::size_t payload_offset(const Path& path, std::uint8_t opcode) noexcept {
  return sizeof(dp::EthernetHeader) + ip_header_bytes(path.source) + sizeof(dp::UdpHeader) +
         sizeof(dp::BthHeader) + extension_bytes(opcode);
}

std::size_t frame_bytes(const Path& path, const RocePacket& packet) noexcept {
  return sizeof(dp::EthernetHeader) + ip_header_bytes(path.source) + udp_bytes_of(packet);
}

void write_frame(std::uint8_t* frame, const Path& path, const RocePacket& packet) noexcept {
  const std::size_t udp_bytes = udp_bytes_of(packet);
  std::uint8_t* const ip =
      put_ethernet(frame, path.destination_mac, path.source_mac, path.source.is_v4());
  std::uint8_t* position = put_ip(ip,
                                  {.source = path.source,
                                   .destination = path.destination,
                                   .tos = path.tos,
                                   .ttl = path.ttl,
                                   .identification = path.identification,
                                   .flow_label = path.flow_label},
                                  udp_bytes);
  position = put_udp(position, path.source_port, dp::udp_port::roce_v2, udp_bytes);
  position = put_extensions(put_bth(position, packet), packet);
  if (!packet.payload.empty() && packet.payload.data() != position) {
    std::memcpy(position, packet.payload.data(), packet.payload.size());
  }
  position += packet.payload.size();
  for (unsigned pad = pad_count(packet); pad > 0; --pad) *position++ = 0;
  dp::write_icrc(position, dp::icrc({ip, static_cast<std::size_t>(position - ip)}));
}

std::size_t tunnel_bytes(const Tunnel& tunnel) noexcept {
  return sizeof(dp::EthernetHeader) + ip_header_bytes(tunnel.source) + sizeof(dp::UdpHeader) +
         sizeof(dp::VxlanHeader);
}

void write_tunnel(std::uint8_t* frame, const Tunnel& tunnel, std::size_t inner_bytes) noexcept {
  const std::size_t udp_bytes = sizeof(dp::UdpHeader) + sizeof(dp::VxlanHeader) + inner_bytes;
  std::uint8_t* position =
      put_ethernet(frame, tunnel.destination_mac, tunnel.source_mac, tunnel.source.is_v4());
  position = put_ip(position,
                    {.source = tunnel.source,
                     .destination = tunnel.destination,
                     .tos = tunnel.tos,
                     .ttl = tunnel.ttl,
                     .identification = 0,
                     .flow_label = 0},
                    udp_bytes);
  position = put_udp(position, tunnel.source_port, dp::udp_port::vxlan, udp_bytes);
  put(position, dp::VxlanHeader{.flags = be32(dp::VxlanHeader::valid_vni),
                                .vni_reserved = be32(tunnel.vni << 8)});
}

}  // namespace pktgen
