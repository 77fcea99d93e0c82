// SPDX-License-Identifier: Apache-2.0
// VXLAN (RFC 7348): 8 bytes behind UDP port 4789, of which 24 bits name the network.
#pragma once

#include "dataplane/contract/drop_reason.hpp"
#include "dataplane/packet/headers.hpp"

#include <array>
#include <cstdint>

namespace dp {

struct Vxlan {
  static constexpr std::uint16_t udp_destination = udp_port::vxlan;
  static constexpr std::uint16_t header_bytes = sizeof(VxlanHeader);

  // The bits that read() looks at: a header that agrees in them with one that was read is read
  // alike.
  static constexpr std::array<std::uint8_t, header_bytes> mask{0x08, 0, 0, 0, 0xff, 0xff, 0xff, 0};

  // Whether the header is to be believed, and its VNI. Reserved bits are ignored on receipt
  // (RFC 7348 §5); the I flag must be set.
  static contract::DropReason read(const std::uint8_t* header, std::uint32_t& vni) noexcept {
    const auto& vxlan = *reinterpret_cast<const VxlanHeader*>(header);
    vni = vxlan.vni();
    return vxlan.has_vni() ? contract::DropReason::none : contract::DropReason::vxlan_bad_flags;
  }

  static void write(std::uint8_t* header, std::uint32_t vni) noexcept {
    auto& vxlan = *reinterpret_cast<VxlanHeader*>(header);
    vxlan.flags = be32(VxlanHeader::valid_vni);
    vxlan.vni_reserved = be32(vni << 8);
  }
};

}  // namespace dp
