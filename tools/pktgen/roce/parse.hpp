// SPDX-License-Identifier: Apache-2.0
// Reads RoCEv2 frames as strictly as an HCA: what A17 calls non-conforming is no RoCE (CA17-24).
// The ICRC is not looked at; icrc_holds() does so, as it reads every byte.
#pragma once

#include "tools/pktgen/roce/frame.hpp"

#include <cstdint>
#include <expected>
#include <span>

namespace pktgen {

enum class ParseError : std::uint8_t {
  truncated,       // Shorter than its headers say.
  not_ip,          // Neither IPv4 nor IPv6: ARP, LLDP, VLANs.
  ip_options,      // IPv4 options; IPv6 extension headers are not_udp.
  fragment,        // MF or an offset.
  not_udp,         // Another protocol.
  not_roce,        // UDP to another port.
  bad_length,      // IP and UDP disagree, or there is no room for what the opcode has.
  unknown_opcode,  // XRC, RD, manufacturers'.
  bad_version,     // BTH's TVer is not 0.
};
const char* name(ParseError error) noexcept;

struct ParsedFrame {
  Path path;
  RocePacket packet;                 // Its payload lies in the frame.
  std::span<const std::uint8_t> ip;  // The IP packet with its ICRC, without Ethernet's padding.
};

std::expected<ParsedFrame, ParseError> parse_frame(std::span<const std::uint8_t> frame) noexcept;

bool icrc_holds(const ParsedFrame& frame) noexcept;

struct ParsedTunnel {
  Tunnel tunnel;
  std::span<const std::uint8_t> inner;  // Ethernet frame, without padding of the outer one.
};

// Of a VXLAN packet with a VNI; not_roce for UDP to another port.
std::expected<ParsedTunnel, ParseError> parse_tunnel(std::span<const std::uint8_t> frame) noexcept;

}  // namespace pktgen
