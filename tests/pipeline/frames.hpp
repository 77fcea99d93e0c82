// SPDX-License-Identifier: Apache-2.0
// Frames made in C++, for tests that need many of them or ask how they are treated together. What
// a frame must look like on the wire is judged by the tables of scapy's frames, not by these.
#pragma once

#include "tests/pipeline/gateway.hpp"

#include <cstdint>
#include <string_view>

namespace test {

// An RC WRITE Middle over IPv4, without a valid ICRC, which no stage looks at.
struct RoceFrame {
  std::string_view source_mac = "02:00:00:00:0a:01";
  std::string_view destination_mac = "02:00:00:00:0b:01";
  std::uint32_t source_ip = 0x0a00'0001;
  std::uint32_t destination_ip = 0x0a00'0002;
  std::uint16_t source_port = 0xc000;
  std::uint8_t tos = 0;
  std::uint32_t qp = 0x100;
  std::uint32_t psn = 0;
  std::size_t payload = 16;
};
Bytes make(const RoceFrame& frame);

// Around `inner`, as a VTEP would send it, over IPv6 where the addresses are.
struct Wrapping {
  std::uint32_t vni = 100;
  std::string_view source = "198.18.0.2";
  std::string_view destination = "198.18.0.1";
  std::string_view mac = "02:70:63:61:70:00";
  std::uint8_t tos = 0;
};
Bytes wrap(const Bytes& inner, const Wrapping& wrapping = {});

inline constexpr std::size_t tunnel_bytes = 50;           // Ethernet, IPv4, UDP, VXLAN.
std::size_t tunnel_bytes_of(const std::uint8_t* packet);  // Of either family.

// Of a tunnel packet.
std::uint16_t outer_source_port(const Bytes& packet);
std::uint32_t vni_of(const std::uint8_t* packet);
std::uint32_t outer_destination(const std::uint8_t* packet);  // Its last 32 bits.
// Of a frame that make() made.
std::uint32_t psn_of(const Bytes& frame);
std::uint32_t qp_of(const Bytes& frame);

}  // namespace test
