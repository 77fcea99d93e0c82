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
  bool control : 1;    // ACK, CNP or CM.
  std::uint8_t stage;  // Where its death is counted: the last stage of its pipeline.
};
static_assert(sizeof(QueuedFrame) == 16);

// The class of a frame whose kind does not say it, by the DSCP of its outermost IP header.
std::uint8_t class_by_header(const std::uint8_t* frame, const QueueRecord& record) noexcept;

// The class in which a frame is to wait. `meta` as the last stage left it.
inline std::uint8_t traffic_class_of(const rte_mbuf* mbuf, const PacketMeta& meta,
                                     const QueueRecord& record) noexcept {
  const std::uint8_t by_kind = record.class_of_kind[static_cast<std::size_t>(meta.kind)];
  if (by_kind != class_by_dscp) return by_kind;
  const auto* frame = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
  // Most frames are IPv4 without a VLAN tag.
  if (reinterpret_cast<const EthernetHeader*>(frame)->type == be16(ethertype::ipv4)) [[likely]] {
    constexpr std::size_t tos_at = sizeof(EthernetHeader) + offsetof(Ipv4Header, tos);
    return record.class_of_dscp[frame[tos_at] >> 2];
  }
  return class_by_header(frame, record);
}

// What `mbuf` is to the queue of the port where it is to leave.
QueuedFrame describe(rte_mbuf* mbuf, const PacketMeta& meta, const QueueRecord& record,
                     std::uint16_t stage) noexcept;

}  // namespace dp
