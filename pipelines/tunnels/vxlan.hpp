// SPDX-License-Identifier: Apache-2.0
// VXLAN (RFC 7348): 8 bytes behind UDP port 4789, of which 24 bits name the network.
#pragma once

#include "dataplane/contract/drop_reason.hpp"
#include "dataplane/packet/headers.hpp"

#include <cstdint>
#include <expected>

namespace dp {

struct Vxlan {
  static constexpr std::uint16_t udp_destination = udp_port::vxlan;
  static constexpr std::uint16_t header_bytes = sizeof(VxlanHeader);

  // The VNI, or why the header is not to be believed. Reserved bits are ignored on receipt
  // (RFC 7348 §5); the I flag must be set.
  static std::expected<std::uint32_t, contract::DropReason> read(
      const std::uint8_t* header) noexcept {
    const auto& vxlan = *reinterpret_cast<const VxlanHeader*>(header);
    if (!vxlan.has_vni()) return std::unexpected(contract::DropReason::vxlan_bad_flags);
    return vxlan.vni();
  }

  static void write(std::uint8_t* header, std::uint32_t vni) noexcept {
    auto& vxlan = *reinterpret_cast<VxlanHeader*>(header);
    vxlan.flags = be32(VxlanHeader::valid_vni);
    vxlan.vni_reserved = be32(vni << 8);
  }
};

}  // namespace dp
