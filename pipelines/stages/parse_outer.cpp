// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/parse_outer.hpp"

#include "dataplane/packet/checksum.hpp"

#include <rte_mbuf.h>

namespace dp {
namespace {

struct OuterHeaders {
  EthernetHeader ethernet;
  Ipv4Header ip;
  UdpHeader udp;
};
static_assert(sizeof(OuterHeaders) == 42);

// RFC 768 with the IPv4 pseudo header, over all segments. Only for senders that set a checksum,
// which RFC 7348 §4.1 discourages, so the copying is no loss.
bool udp_checksum_holds(Packet packet, const OuterHeaders& outer) noexcept {
  const std::uint32_t udp_length = outer.udp.length.host();
  std::uint64_t sum = sum_words(&outer.ip.source, 8);
  sum += be16(ip_protocol::udp).raw();
  sum += outer.udp.length.raw();

  // Pieces of an even size, so that words of the packet stay words of the sum.
  constexpr std::uint32_t piece_bytes = 256;
  std::uint8_t copy[piece_bytes];
  for (std::uint32_t done = 0; done < udp_length; done += piece_bytes) {
    const std::uint32_t bytes = std::min(piece_bytes, udp_length - done);
    constexpr std::uint32_t udp_offset = sizeof(EthernetHeader) + sizeof(Ipv4Header);
    const void* piece = rte_pktmbuf_read(packet.mbuf(), udp_offset + done, bytes, copy);
    if (piece == nullptr) return false;
    sum += sum_words(piece, bytes);
  }
  return fold(sum) == 0xffff;
}

}  // namespace

Verdict ParseOuter::handle_rest(Packet packet) const noexcept {
  if (packet.length() < sizeof(EthernetHeader)) return DropReason::frame_truncated;
  if (packet.contiguous() < sizeof(EthernetHeader)) return DropReason::headers_segmented;
  const auto& ethernet = packet.header<EthernetHeader>(0);
  if (ethernet.destination != environment_.in_port->mac) return DropReason::wrong_destination_mac;
  if (ethernet.type != be16(ethertype::ipv4)) return DropReason::ethertype_not_handled;

  if (packet.contiguous() < sizeof(OuterHeaders)) {
    return packet.length() < sizeof(OuterHeaders) ? DropReason::frame_truncated
                                                  : DropReason::headers_segmented;
  }
  const auto& outer = packet.header<OuterHeaders>(0);
  const Ipv4Header& ip = outer.ip;
  if (ip.version() != 4) return DropReason::ipv4_bad_version;
  if (ip.header_bytes() < sizeof(Ipv4Header)) return DropReason::ipv4_bad_header_length;
  if (ip.header_bytes() > sizeof(Ipv4Header)) return DropReason::ipv4_options;
  const std::uint32_t total = ip.total_length.host();
  if (total < sizeof(Ipv4Header) || total > packet.length() - sizeof(EthernetHeader)) {
    return DropReason::ipv4_bad_total_length;
  }
  if (!checksum_holds(ip)) return DropReason::ipv4_bad_checksum;
  if (ip.is_fragment()) return DropReason::ipv4_fragment;
  if (ip.protocol != ip_protocol::udp) return DropReason::protocol_not_handled;
  if (outer.udp.length.host() != total - sizeof(Ipv4Header) ||
      outer.udp.length.host() < sizeof(UdpHeader)) {
    return DropReason::udp_bad_length;
  }
  // 0 means that there is none (RFC 768); RFC 7348 §4.1 wants it so.
  if (outer.udp.checksum != be16(0) && !udp_checksum_holds(packet, outer)) {
    return DropReason::udp_bad_checksum;
  }
  note(packet.meta(), ip.tos, total - static_cast<std::uint32_t>(sizeof(Ipv4Header)));
  return keep;
}

}  // namespace dp
