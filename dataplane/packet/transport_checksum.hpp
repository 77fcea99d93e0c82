// SPDX-License-Identifier: Apache-2.0
// The checksums of UDP and TCP with their pseudo header, over packets of any number of segments.
// They read every byte of the payload: only where a VTEP asks for it, or a sender sets one or left
// it to us.
#pragma once

#include "dataplane/packet/headers.hpp"

#include <rte_mbuf.h>

#include <cstdint>

namespace dp {

// What lies behind an IP header, as its pseudo header names it (RFC 768, RFC 9293 §3.1, RFC 8200
// §8.1).
struct Transport {
  std::uint8_t protocol;
  std::uint16_t offset;  // In the frame.
  std::uint16_t bytes;   // The packet has so many from there on.
};

// What stands in the checksum's field is part of it. Folded.
std::uint16_t transport_sum(const rte_mbuf& frame, const Ipv4Header& ip,
                            const Transport& transport) noexcept;
std::uint16_t transport_sum(const rte_mbuf& frame, const Ipv6Header& ip,
                            const Transport& transport) noexcept;

// With the checksum in its place.
constexpr bool transport_sum_holds(std::uint16_t sum) noexcept {
  return sum == 0xffff;
}
// With zero in the checksum's place: what belongs there. To UDP zero itself says that there is
// none, so it is sent as its other form, which to TCP is the same.
constexpr be16 transport_checksum(std::uint16_t sum) noexcept {
  return be16::from_raw(sum == 0xffff ? sum : static_cast<std::uint16_t>(~sum));
}

// Does what the sender of a frame left to the device (virtio 1.2, §5.1.6.2, NEEDS_CSUM): the
// checksum at `place` behind `start` covers all from `start` on, and the pseudo header's sum stands
// in its field. False where that lies outside of the frame's first segment.
bool finish_checksum(rte_mbuf& frame, std::uint16_t start, std::uint16_t place) noexcept;

}  // namespace dp
