// SPDX-License-Identifier: Apache-2.0
#include "drivers/xdp/unfinished_checksum.hpp"

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/transport_checksum.hpp"

#include <cstddef>
#include <cstring>

namespace dp {
namespace {

// Zero: it has none that could be looked at.
std::uint32_t checksum_place(std::uint8_t protocol) noexcept {
  switch (protocol) {
    case ip_protocol::tcp: return offsetof(TcpHeader, checksum);
    case ip_protocol::udp: return offsetof(UdpHeader, checksum);
    default: return 0;
  }
}

template <class Ip>
bool is_unfinished(const rte_mbuf& frame, const Ip& ip, const Transport& transport) noexcept {
  const std::uint32_t place = checksum_place(transport.protocol);
  if (place == 0 || transport.bytes < place + sizeof(be16)) return false;
  if (std::uint32_t{transport.offset} + transport.bytes > frame.pkt_len) return false;
  if (transport.offset + place + sizeof(be16) > frame.data_len) return false;

  be16 checksum;
  std::memcpy(&checksum, rte_pktmbuf_mtod_offset(&frame, const char*, transport.offset + place),
              sizeof checksum);
  // Most tunnel packets and RoCE have none. No sum of a pseudo header is zero.
  if (checksum == be16(0)) return false;
  const std::uint16_t alone = fold(sum_words(&ip.source, sizeof ip.source + sizeof ip.destination) +
                                   be16(transport.bytes).raw() + be16(transport.protocol).raw());
  return checksum.raw() == alone && !transport_sum_holds(transport_sum(frame, ip, transport));
}

struct Look {
  bool unfinished = false;
  std::uint32_t carried = 0;  // Where the frame starts that this one carries; 0: it carries none.
};

template <class Ip>
Look look_at(const rte_mbuf& frame, const Ip& ip, const Transport& transport) noexcept {
  Look look{.unfinished = is_unfinished(frame, ip, transport)};
  constexpr std::uint32_t heads = sizeof(UdpHeader) + sizeof(VxlanHeader);
  if (transport.protocol != ip_protocol::udp || transport.offset + heads > frame.data_len) {
    return look;
  }
  const auto& udp = *rte_pktmbuf_mtod_offset(&frame, const UdpHeader*, transport.offset);
  if (udp.destination == be16(udp_port::vxlan)) look.carried = transport.offset + heads;
  return look;
}

// At a frame that starts at `start`.
Look look_at(const rte_mbuf& frame, std::uint32_t start) noexcept {
  std::uint32_t l3 = start + sizeof(EthernetHeader);
  if (frame.data_len < l3) return {};
  be16 type = rte_pktmbuf_mtod_offset(&frame, const EthernetHeader*, start)->type;
  for (int tags = 0; tags < 2 && ethertype::is_vlan(type); ++tags) {
    if (frame.data_len < l3 + sizeof(VlanTag)) return {};
    type = rte_pktmbuf_mtod_offset(&frame, const VlanTag*, l3)->type;
    l3 += sizeof(VlanTag);
  }
  if (type == be16(ethertype::ipv4)) {
    if (frame.data_len < l3 + sizeof(Ipv4Header)) return {};
    const auto& ip = *rte_pktmbuf_mtod_offset(&frame, const Ipv4Header*, l3);
    const unsigned header = ip.header_bytes();
    if (ip.is_fragment() || header < sizeof(Ipv4Header) || ip.total_length.host() < header) {
      return {};
    }
    return look_at(frame, ip,
                   {.protocol = ip.protocol,
                    .offset = static_cast<std::uint16_t>(l3 + header),
                    .bytes = static_cast<std::uint16_t>(ip.total_length.host() - header)});
  }
  if (type != be16(ethertype::ipv6) || frame.data_len < l3 + sizeof(Ipv6Header)) return {};
  const auto& ip = *rte_pktmbuf_mtod_offset(&frame, const Ipv6Header*, l3);
  return look_at(frame, ip,
                 {.protocol = ip.next_header,
                  .offset = static_cast<std::uint16_t>(l3 + sizeof(Ipv6Header)),
                  .bytes = ip.payload_length.host()});
}

}  // namespace

bool has_unfinished_checksum(const rte_mbuf& frame) noexcept {
  const Look whole = look_at(frame, 0);
  if (whole.unfinished || whole.carried == 0) return whole.unfinished;
  return look_at(frame, whole.carried).unfinished;
}

}  // namespace dp
