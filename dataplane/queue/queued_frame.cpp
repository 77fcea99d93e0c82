// SPDX-License-Identifier: Apache-2.0
#include "dataplane/queue/queued_frame.hpp"

#include "dataplane/packet/udp_tunnel.hpp"

#include <cstring>

namespace dp {
namespace {

struct IpPlace {
  std::uint8_t offset = 0;  // 0: no IP.
  std::uint8_t version = 0;
};

// Behind the Ethernet header and up to two VLAN tags. Whoever leaves has passed a parser: what the
// EtherType promises lies in the first buffer.
IpPlace outermost_ip(const std::uint8_t* frame) noexcept {
  constexpr std::size_t type_at = offsetof(EthernetHeader, type);
  std::size_t offset = type_at;
  be16 type;
  std::memcpy(&type, frame + offset, sizeof type);
  for (int tags = 0; tags < 2 && ethertype::is_vlan(type); ++tags) {
    offset += sizeof(VlanTag);
    std::memcpy(&type, frame + offset, sizeof type);
  }
  const auto behind = static_cast<std::uint8_t>(offset + sizeof type);
  if (type == be16(ethertype::ipv4)) return {.offset = behind, .version = 4};
  if (type == be16(ethertype::ipv6)) return {.offset = behind, .version = 6};
  return {};
}

// Of the tunnel that encapsulation put around the frame, or that a transit frame came in.
std::uint8_t inner_ip(const IpPlace& outer, const PacketMeta& meta) noexcept {
  if (meta.ip_version == 0 || outer.offset == 0) return 0;
  const std::size_t ip_bytes = outer.version == 4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
  const std::size_t behind_tunnel =
      outer.offset + ip_bytes + sizeof(UdpHeader) + sizeof(VxlanHeader);
  // meta counts from the tenant's frame where encapsulation added headers since.
  if (meta.vtep != base::no_vtep) return static_cast<std::uint8_t>(behind_tunnel + meta.l3);
  return meta.l3 >= behind_tunnel ? static_cast<std::uint8_t>(meta.l3) : 0;
}

}  // namespace

std::uint8_t class_by_header(const std::uint8_t* frame, const QueueRecord& record) noexcept {
  const IpPlace ip = outermost_ip(frame);
  if (ip.offset == 0) return record.class_of_dscp[0];
  const auto tos = ip.version == 4
                       ? frame[ip.offset + offsetof(Ipv4Header, tos)]
                       : reinterpret_cast<const Ipv6Header*>(frame + ip.offset)->traffic_class();
  return record.class_of_dscp[tos >> 2];
}

QueuedFrame describe_other(rte_mbuf* mbuf, const PacketMeta& meta, const QueueRecord& record,
                           std::uint16_t stage) noexcept {
  const IpPlace outer = outermost_ip(rte_pktmbuf_mtod(mbuf, const std::uint8_t*));
  return {.mbuf = mbuf,
          .bytes = mbuf->pkt_len,
          .outer_ip = outer.offset,
          .inner_ip = inner_ip(outer, meta),
          .traffic_class = static_cast<std::uint8_t>(traffic_class_of(mbuf, meta, record) & 7u),
          .control = is_control(meta.kind),
          .stage = static_cast<std::uint8_t>(stage)};
}

}  // namespace dp
