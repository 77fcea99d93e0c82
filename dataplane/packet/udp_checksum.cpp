// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/udp_checksum.hpp"

#include "dataplane/packet/checksum.hpp"

#include <algorithm>

namespace dp {
namespace {

std::uint64_t sum_segments(const rte_mbuf* segment, std::uint32_t offset,
                           std::uint32_t bytes) noexcept {
  std::uint64_t sum = 0;
  bool odd = false;
  // Ends: the packet has `bytes` bytes behind `offset`.
  for (; bytes > 0; segment = segment->next) {
    if (offset >= segment->data_len) {
      offset -= segment->data_len;
      continue;
    }
    const std::uint32_t here = std::min<std::uint32_t>(bytes, segment->data_len - offset);
    const std::uint16_t part =
        fold(sum_words(rte_pktmbuf_mtod_offset(segment, const std::uint8_t*, offset), here));
    // Words that begin at an odd byte of the datagram have their bytes the other way round.
    sum += odd ? base::swap_bytes(part) : part;
    odd ^= (here & 1) != 0;
    bytes -= here;
    offset = 0;
  }
  return sum;
}

template <class Ip>
std::uint16_t sum_with_pseudo_header(const rte_mbuf& packet, std::uint16_t udp_offset, const Ip& ip,
                                     std::uint16_t udp_bytes) noexcept {
  // Source and destination lie side by side, and a pseudo header's other words are the length and
  // the protocol, in either family.
  return fold(sum_words(&ip.source, sizeof ip.source + sizeof ip.destination) +
              be16(udp_bytes).raw() + be16(ip_protocol::udp).raw() +
              sum_segments(&packet, udp_offset, udp_bytes));
}

}  // namespace

std::uint16_t udp_sum(const rte_mbuf& packet, std::uint16_t udp_offset, const Ipv4Header& ip,
                      std::uint16_t udp_bytes) noexcept {
  return sum_with_pseudo_header(packet, udp_offset, ip, udp_bytes);
}

std::uint16_t udp_sum(const rte_mbuf& packet, std::uint16_t udp_offset, const Ipv6Header& ip,
                      std::uint16_t udp_bytes) noexcept {
  return sum_with_pseudo_header(packet, udp_offset, ip, udp_bytes);
}

}  // namespace dp
