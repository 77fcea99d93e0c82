// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/transport_checksum.hpp"

#include "dataplane/packet/checksum.hpp"

#include <algorithm>
#include <cstring>

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
std::uint16_t sum_with_pseudo_header(const rte_mbuf& frame, const Ip& ip,
                                     const Transport& transport) noexcept {
  // Source and destination lie side by side, and a pseudo header's other words are the length and
  // the protocol, in either family.
  return fold(sum_words(&ip.source, sizeof ip.source + sizeof ip.destination) +
              be16(transport.bytes).raw() + be16(transport.protocol).raw() +
              sum_segments(&frame, transport.offset, transport.bytes));
}

}  // namespace

std::uint16_t transport_sum(const rte_mbuf& frame, const Ipv4Header& ip,
                            const Transport& transport) noexcept {
  return sum_with_pseudo_header(frame, ip, transport);
}

std::uint16_t transport_sum(const rte_mbuf& frame, const Ipv6Header& ip,
                            const Transport& transport) noexcept {
  return sum_with_pseudo_header(frame, ip, transport);
}

bool finish_checksum(rte_mbuf& frame, std::uint16_t start, std::uint16_t place) noexcept {
  const std::uint32_t field = std::uint32_t{start} + place;
  if (field + sizeof(be16) > frame.data_len) return false;
  const be16 checksum =
      transport_checksum(fold(sum_segments(&frame, start, frame.pkt_len - start)));
  std::memcpy(rte_pktmbuf_mtod_offset(&frame, char*, field), &checksum, sizeof checksum);
  return true;
}

}  // namespace dp
