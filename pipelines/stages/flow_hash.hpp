// SPDX-License-Identifier: Apache-2.0
// The hash that spreads flows over the underlay's paths, as the tunnel's UDP source port and IPv6
// flow label. It covers the addresses, the ports and, for RoCE, the destination QP: QPs between two
// hosts often share one UDP source port (IBTA Annex A17.9.3), and without the QP all of them would
// take one path.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/crc32c.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"

#include <cstdint>
#include <cstring>

namespace dp {

// `addresses`: both, in any form; `ports`: as they lie in the header, 0 where there are none.
// A CRC is two instructions, and gives 4,096 QPs that are numbered one after the other as many
// different source ports.
inline std::uint32_t hash_flow(std::uint64_t addresses, std::uint32_t ports,
                               std::uint32_t destination_qp) noexcept {
  const std::uint64_t rest = std::uint64_t{destination_qp} << 32 | ports;
  return base::crc32c(base::crc32c(0xffff'ffff, addresses), rest);
}

inline std::uint64_t fold_address(const base::Ipv6Address& address) noexcept {
  std::uint64_t high;
  std::uint64_t low;
  std::memcpy(&high, address.bytes.data(), 8);
  std::memcpy(&low, address.bytes.data() + 8, 8);
  return std::uint64_t{base::crc32c(base::crc32c(0xffff'ffff, high), low)};
}

// Ports of a transport that has them, where they can be read; 0 otherwise. They only feed the hash,
// so a frame that ends early is no reason to die. All fragments of a datagram must hash alike, and
// only the first one has ports: the parser left l4_protocol 0.
inline std::uint32_t read_ports(Packet packet) noexcept {
  const PacketMeta& meta = packet.meta();
  const bool has_ports =
      meta.l4_protocol == ip_protocol::udp || meta.l4_protocol == ip_protocol::tcp;
  if (!has_ports || meta.l4_length < 4 || meta.l4 + 4u > packet.contiguous()) return 0;
  return packet.header<be32>(meta.l4).raw();
}

// Of a parsed and classified frame.
inline std::uint32_t flow_hash(Packet packet) noexcept {
  const PacketMeta& meta = packet.meta();
  if (meta.ip_version == 4) [[likely]] {
    std::uint64_t addresses;
    std::memcpy(&addresses, &packet.header<Ipv4Header>(meta.l3).source, sizeof addresses);
    // Whoever was classified by what lies behind its ports has ports.
    const std::uint32_t ports =
        is_roce_v2(meta.kind) ? packet.header<be32>(meta.l4).raw() : read_ports(packet);
    return hash_flow(addresses, ports, meta.destination_qp);
  }
  if (meta.ip_version == 6) {
    const auto& ip = packet.header<Ipv6Header>(meta.l3);
    const std::uint64_t addresses = fold_address(ip.source) << 32 | fold_address(ip.destination);
    return hash_flow(addresses, read_ports(packet), meta.destination_qp);
  }
  // Neither: only the MACs tell flows apart.
  const auto& ethernet = packet.header<EthernetHeader>(0);
  return hash_flow(base::crc32c(0, ethernet.source.to_integer()), ethernet.type.raw(),
                   base::crc32c(0, ethernet.destination.to_integer()));
}

// The same of plain RoCE over IPv4 (plain_roce.hpp), without a question.
inline std::uint32_t plain_flow_hash(Packet packet) noexcept {
  struct Head {
    EthernetHeader ethernet;
    Ipv4Header ip;
    be32 ports;
  };
  const auto& head = packet.header<Head>(0);
  std::uint64_t addresses;
  std::memcpy(&addresses, &head.ip.source, sizeof addresses);
  return hash_flow(addresses, head.ports.raw(), packet.meta().destination_qp);
}

// RFC 7348 §5: a source port from the dynamic range, RFC 6335's 49152-65535.
constexpr std::uint16_t entropy_port(std::uint32_t hash) noexcept {
  return static_cast<std::uint16_t>(0xc000 | (hash & 0x3fff));
}

// RFC 6438 §3: the 20 bits by which routers spread IPv6 tunnels whose ports they do not read. Never
// 0, which says that the sender knows no flows (RFC 6437 §2).
constexpr std::uint32_t entropy_label(std::uint32_t hash) noexcept {
  const std::uint32_t label = hash >> 12;
  return label != 0 ? label : 1;
}

}  // namespace dp
