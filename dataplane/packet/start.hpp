// SPDX-License-Identifier: Apache-2.0
// The first eight bytes of a frame in one load: its destination MAC, and two bytes of the source.
#pragma once

#include "dataplane/packet/headers.hpp"

#include <rte_mbuf.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dp {

// Of a frame that has so many.
inline std::uint64_t first_bytes(const rte_mbuf* mbuf) noexcept {
  static_assert(offsetof(EthernetHeader, destination) == 0 && sizeof(EthernetHeader) >= 8);
  std::uint64_t start;
  std::memcpy(&start, rte_pktmbuf_mtod(mbuf, const std::uint8_t*), sizeof start);
  return start;
}

// `differences`: of several frames' first bytes.
constexpr bool same_destination(std::uint64_t differences) noexcept {
  static_assert(std::endian::native == std::endian::little, "the source's bytes are the high ones");
  return differences << 16 == 0;
}

}  // namespace dp
