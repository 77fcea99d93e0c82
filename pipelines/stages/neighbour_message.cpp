// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/neighbour_message.hpp"

#include "dataplane/packet/headers.hpp"

namespace dp {

bool is_neighbour_message(Packet packet, const base::MacAddress& ours) noexcept {
  constexpr base::MacAddress broadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  constexpr std::uint32_t icmp6_at = sizeof(EthernetHeader) + sizeof(Ipv6Header);
  constexpr std::uint8_t solicitation = 135;  // RFC 4861 §4.3, and §4.4 for 136.
  constexpr std::uint8_t advertisement = 136;
  const auto& ethernet = packet.header<EthernetHeader>(0);
  const base::MacAddress& to = ethernet.destination;
  if (ethernet.type == be16(ethertype::arp)) return to == ours || to == broadcast;
  const bool is_ip6_group = to.bytes[0] == 0x33 && to.bytes[1] == 0x33;  // RFC 2464 §7.
  if (ethernet.type != be16(ethertype::ipv6) || (to != ours && !is_ip6_group)) return false;
  if (packet.contiguous() <= icmp6_at) return false;
  const auto& ip = packet.header<Ipv6Header>(sizeof(EthernetHeader));
  const std::uint8_t type = *(packet.data() + icmp6_at);
  return ip.next_header == ip_protocol::icmp6 && (type == solicitation || type == advertisement);
}

}  // namespace dp
