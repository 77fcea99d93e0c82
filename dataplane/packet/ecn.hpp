// SPDX-License-Identifier: Apache-2.0
// Reading and writing the two ECN bits of an IP header in place. DSCP shares their byte and is
// never touched; the IPv4 checksum follows, and the RoCEv2 ICRC does not cover these bits
// (IBTA Annex A17.3.3).
#pragma once

#include "dataplane/contract/packet_kind.hpp"
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"

#include <cstdint>

namespace dp {

using contract::Ecn;

constexpr Ecn ecn_of(std::uint8_t tos) noexcept {
  return static_cast<Ecn>(tos & 3);
}

inline void write_ecn(Ipv4Header& header, Ecn ecn) noexcept {
  const std::uint8_t tos_before = header.tos;
  const auto tos = static_cast<std::uint8_t>((tos_before & ~3u) | static_cast<unsigned>(ecn));
  // The TOS byte is the low half of the first 16-bit word; the other half cancels out.
  header.checksum = update_checksum(header.checksum, be16(tos_before), be16(tos));
  header.tos = tos;
}

inline void write_ecn(Ipv6Header& header, Ecn ecn) noexcept {
  const std::uint32_t word = header.version_class_label.host();
  header.version_class_label = be32((word & ~(3u << 20)) | (static_cast<std::uint32_t>(ecn) << 20));
}

}  // namespace dp
