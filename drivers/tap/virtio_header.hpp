// SPDX-License-Identifier: Apache-2.0
// What stands in front of each frame of a TAP: virtio_net_hdr of <linux/virtio_net.h>, which does
// not compile as C++. In the machine's own byte order.
#pragma once

#include <cstdint>

namespace dp {

struct VirtioHeader {
  std::uint8_t flags;
  std::uint8_t gso_type;
  std::uint16_t header_bytes;
  std::uint16_t segment_bytes;
  // With needs_checksum: it covers all from here on, and belongs so far behind.
  std::uint16_t checksum_start;
  std::uint16_t checksum_place;

  static constexpr std::uint8_t needs_checksum = 1;

  static constexpr std::uint8_t gso_none = 0;
  static constexpr std::uint8_t gso_tcp4 = 1;
  static constexpr std::uint8_t gso_tcp6 = 4;
  static constexpr std::uint8_t gso_udp = 5;
  static constexpr std::uint8_t gso_ecn = 0x80;  // Besides: CWR is set.
};
static_assert(sizeof(VirtioHeader) == 10);

}  // namespace dp
