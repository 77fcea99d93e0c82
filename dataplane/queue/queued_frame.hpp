// SPDX-License-Identifier: Apache-2.0
// A finished frame with all that its queue needs to know of it. Nothing here refers to a table: a
// frame may wait longer than the entries live by which it came.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"
#include "dataplane/table/records.hpp"

#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>

namespace dp {

struct QueuedFrame {
  rte_mbuf* mbuf;
  std::uint32_t bytes;
  std::uint8_t outer_ip;  // Where the outermost IP header begins; 0: there is none.
  std::uint8_t inner_ip;  // Of the frame in a tunnel; 0: no tunnel, or no IP in it.
  std::uint8_t traffic_class : 3;
  bool control : 1;        // ACK, CNP or CM.
  std::uint8_t epoch : 4;  // Of the record that its class is of.
  std::uint8_t stage;      // Where its death is counted: the last stage of its pipeline.
};
static_assert(sizeof(QueuedFrame) == 16);

// The class of a frame whose kind does not say it, by the DSCP of its outermost IP header.
std::uint8_t class_by_header(const rte_mbuf* mbuf, const QueueRecord& record) noexcept;

// The class in which a frame is to wait. `meta` as the last stage left it.
inline std::uint8_t traffic_class_of(const rte_mbuf* mbuf, const PacketMeta& meta,
                                     const QueueRecord& record) noexcept {
  const std::uint8_t by_kind = record.class_of_kind[static_cast<std::size_t>(meta.kind)];
  if (by_kind != class_by_dscp) return by_kind;
  if (meta.vtep != base::no_vtep) return record.class_of_dscp[meta.outer_tos >> 2];
  const auto* frame = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
  // Most frames are IPv4 without a VLAN tag.
  if (reinterpret_cast<const EthernetHeader*>(frame)->type == be16(ethertype::ipv4)) [[likely]] {
    constexpr std::size_t tos_at = sizeof(EthernetHeader) + offsetof(Ipv4Header, tos);
    return record.class_of_dscp[frame[tos_at] >> 2];
  }
  return class_by_header(mbuf, record);
}

// To whose mark nobody reacts: ACKs, CNPs and connection management.
constexpr bool is_control(PacketKind kind) noexcept {
  constexpr auto bit = [](PacketKind one) {
    return 1u << static_cast<unsigned>(one);
  };
  constexpr unsigned kinds = bit(PacketKind::roce_ack) | bit(PacketKind::roce_nak) |
                             bit(PacketKind::roce_rnr_nak) | bit(PacketKind::roce_atomic_response) |
                             bit(PacketKind::roce_cnp) | bit(PacketKind::roce_cm);
  return (kinds >> static_cast<unsigned>(kind) & 1) != 0;
}

// Whatever the frame's headers are.
QueuedFrame describe_other(rte_mbuf* mbuf, const PacketMeta& meta, const QueueRecord& record,
                           std::uint16_t stage) noexcept;

// What `mbuf` is to the queue of the port where it is to leave.
inline QueuedFrame describe(rte_mbuf* mbuf, const PacketMeta& meta, const QueueRecord& record,
                            std::uint16_t stage) noexcept {
  const auto* frame = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
  const bool is_ipv4 =
      reinterpret_cast<const EthernetHeader*>(frame)->type == be16(ethertype::ipv4);
  if (!is_ipv4 || meta.vtep == base::no_vtep) [[unlikely]]  // What encapsulation made, mostly.
    return describe_other(mbuf, meta, record, stage);
  constexpr std::uint8_t outer_ip = sizeof(EthernetHeader);
  constexpr std::uint8_t tunnel_bytes =
      outer_ip + sizeof(Ipv4Header) + sizeof(UdpHeader) + sizeof(VxlanHeader);
  const unsigned inner_ip = meta.ip_version == 0 ? 0 : tunnel_bytes + meta.l3;
  const unsigned class_and_more = (traffic_class_of(mbuf, meta, record) & 7u) |
                                  (is_control(meta.kind) ? 8u : 0u) | (record.epoch & 15u) << 4;
  // The fields as they lie in it, for one store: of eight, whoever copies the frame has to wait.
  static_assert(std::endian::native == std::endian::little);
  const std::uint64_t fields = mbuf->pkt_len | std::uint64_t{outer_ip} << 32 |
                               std::uint64_t{inner_ip & 0xffu} << 40 |
                               std::uint64_t{class_and_more} << 48 | std::uint64_t{stage} << 56;
  return std::bit_cast<QueuedFrame>(std::array{reinterpret_cast<std::uint64_t>(mbuf), fields});
}

}  // namespace dp
