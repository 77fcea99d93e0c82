// SPDX-License-Identifier: Apache-2.0
// Writes RoCEv2 frames, and VXLAN in front of them. Memory is the caller's: it asks for the number
// of bytes first. A frame is never shorter than its parts; padding to Ethernet's 60 is the NIC's.
#pragma once

#include "tools/pktgen/roce/packet.hpp"

#include <cstddef>
#include <cstdint>

namespace pktgen {

// Where a VTEP sends what it wraps.
struct Tunnel {
  base::MacAddress source_mac;
  base::MacAddress destination_mac;
  base::IpAddress source;
  base::IpAddress destination;
  std::uint8_t tos = 0;
  std::uint8_t ttl = 64;
  std::uint16_t source_port = 49152;
  std::uint32_t vni = 0;
};

std::size_t frame_bytes(const Path& path, const RocePacket& packet) noexcept;
// From the frame's start to its payload.
std::size_t payload_offset(const Path& path, std::uint8_t opcode) noexcept;
// The frame with its ICRC; `frame` has frame_bytes() of room. The payload may lie in its place
// already.
void write_frame(std::uint8_t* frame, const Path& path, const RocePacket& packet) noexcept;

std::size_t tunnel_bytes(const Tunnel& tunnel) noexcept;
// What stands before an inner frame of `inner_bytes`.
void write_tunnel(std::uint8_t* frame, const Tunnel& tunnel, std::size_t inner_bytes) noexcept;

}  // namespace pktgen
