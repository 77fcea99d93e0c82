// SPDX-License-Identifier: Apache-2.0
// The UDP checksum with its pseudo header, over packets of any number of segments. Reads every byte
// of the payload: only where a VTEP asks for it, or a sender sets one.
#pragma once

#include "dataplane/packet/headers.hpp"

#include <rte_mbuf.h>

#include <cstdint>

namespace dp {

// Of the pseudo header (RFC 768, RFC 8200 §8.1) and the `udp_bytes` from `udp_offset` on, which the
// packet has; what stands in the checksum's field is part of it. Folded.
std::uint16_t udp_sum(const rte_mbuf& packet, std::uint16_t udp_offset, const Ipv4Header& ip,
                      std::uint16_t udp_bytes) noexcept;
std::uint16_t udp_sum(const rte_mbuf& packet, std::uint16_t udp_offset, const Ipv6Header& ip,
                      std::uint16_t udp_bytes) noexcept;

// With the checksum in its place.
constexpr bool udp_sum_holds(std::uint16_t sum) noexcept {
  return sum == 0xffff;
}
// With zero in the checksum's place: what belongs there. Zero itself says that there is none, so it
// is sent as its other form.
constexpr be16 udp_checksum(std::uint16_t sum) noexcept {
  return be16::from_raw(sum == 0xffff ? sum : static_cast<std::uint16_t>(~sum));
}

}  // namespace dp
