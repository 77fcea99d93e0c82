// SPDX-License-Identifier: Apache-2.0
#include "dataplane/queue/queued_frame.hpp"

#include "dataplane/packet/udp_tunnel.hpp"

#include <cstring>

namespace dp {
namespace {

struct IpPlace {
  std::uint8_t offset = 0;  // 0: no IP.
  std::uint8_t version = 0;
  std::uint8_t bytes = 0;  // Of the header.
};

// Behind the Ethernet header and up to two VLAN tags, where it lies in the first buffer. Not every
// frame has passed a parser: what the host's kernel sends has not.
IpPlace outermost_ip(const rte_mbuf* mbuf) noexcept {
  const auto* frame = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
  std::size_t offset = offsetof(EthernetHeader, type);
  be16 type;
  std::memcpy(&type, frame + offset, sizeof type);
  for (int tags = 0; tags < 2 && ethertype::is_vlan(type); ++tags) {
    offset += sizeof(VlanTag);
    std::memcpy(&type, frame + offset, sizeof type);
  }
  offset += sizeof type;
  const bool is_v4 = type == be16(ethertype::ipv4);
  if (!is_v4 && type != be16(ethertype::ipv6)) return {};
  const std::size_t bytes = is_v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
  if (offset + bytes > mbuf->data_len || frame[offset] >> 4 != (is_v4 ? 4 : 6)) return {};
  const std::size_t ip_bytes =
      is_v4 ? reinterpret_cast<const Ipv4Header*>(frame + offset)->header_bytes() : bytes;
  return {.offset = static_cast<std::uint8_t>(offset),
          .version = static_cast<std::uint8_t>(is_v4 ? 4 : 6),
          .bytes = static_cast<std::uint8_t>(ip_bytes)};
}

// Of the tunnel that encapsulation put around the frame, or that a transit frame came in.
std::uint8_t inner_ip(const IpPlace& outer, const PacketMeta& meta) noexcept {
  if (meta.ip_version == 0 || outer.offset == 0) return 0;
  const std::size_t behind_tunnel =
      outer.offset + outer.bytes + sizeof(UdpHeader) + sizeof(VxlanHeader);
  // meta counts from the tenant's frame where encapsulation added headers since.
  if (meta.vtep != base::no_vtep) return static_cast<std::uint8_t>(behind_tunnel + meta.l3);
  return meta.l3 >= behind_tunnel ? static_cast<std::uint8_t>(meta.l3) : 0;
}

}  // namespace

std::uint8_t class_by_header(const rte_mbuf* mbuf, const QueueRecord& record) noexcept {
  const IpPlace ip = outermost_ip(mbuf);
  const auto* frame = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
  if (ip.offset == 0) return record.class_of_dscp[0];
  const auto tos = ip.version == 4
                       ? frame[ip.offset + offsetof(Ipv4Header, tos)]
                       : reinterpret_cast<const Ipv6Header*>(frame + ip.offset)->traffic_class();
  return record.class_of_dscp[tos >> 2];
}

QueuedFrame describe_other(rte_mbuf* mbuf, const PacketMeta& meta, const QueueRecord& record,
                           std::uint16_t stage) noexcept {
  const IpPlace outer = outermost_ip(mbuf);
  return {.mbuf = mbuf,
          .bytes = mbuf->pkt_len,
          .outer_ip = outer.offset,
          .inner_ip = inner_ip(outer, meta),
          .traffic_class = static_cast<std::uint8_t>(traffic_class_of(mbuf, meta, record) & 7u),
          .control = is_control(meta.kind),
          .epoch = static_cast<std::uint8_t>(record.epoch % queue_epochs),
          .stage = static_cast<std::uint8_t>(stage)};
}

}  // namespace dp
