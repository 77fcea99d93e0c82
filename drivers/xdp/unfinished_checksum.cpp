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
  const std::uint16_t alone = fold(sum_words(&ip.source, sizeof ip.source + sizeof ip.destination) +
                                   be16(transport.bytes).raw() + be16(transport.protocol).raw());
  return checksum.raw() == alone && !transport_sum_holds(transport_sum(frame, ip, transport));
}

}  // namespace

bool has_unfinished_checksum(const rte_mbuf& frame) noexcept {
  constexpr std::uint16_t l3 = sizeof(EthernetHeader);
  if (frame.data_len < l3 + sizeof(Ipv4Header)) return false;
  const std::uint16_t type = rte_pktmbuf_mtod(&frame, const EthernetHeader*)->type.host();
  if (type == ethertype::ipv4) {
    const auto& ip = *rte_pktmbuf_mtod_offset(&frame, const Ipv4Header*, l3);
    const unsigned header = ip.header_bytes();
    if (ip.is_fragment() || header < sizeof(Ipv4Header) || ip.total_length.host() < header) {
      return false;
    }
    return is_unfinished(frame, ip,
                         {.protocol = ip.protocol,
                          .offset = static_cast<std::uint16_t>(l3 + header),
                          .bytes = static_cast<std::uint16_t>(ip.total_length.host() - header)});
  }
  if (type != ethertype::ipv6 || frame.data_len < l3 + sizeof(Ipv6Header)) return false;
  const auto& ip = *rte_pktmbuf_mtod_offset(&frame, const Ipv6Header*, l3);
  return is_unfinished(frame, ip,
                       {.protocol = ip.next_header,
                        .offset = l3 + sizeof(Ipv6Header),
                        .bytes = ip.payload_length.host()});
}

}  // namespace dp
