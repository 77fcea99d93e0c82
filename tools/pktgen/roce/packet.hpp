// SPDX-License-Identifier: Apache-2.0
// A RoCEv2 frame as values in host byte order: the path it takes (Ethernet, IP, UDP) and what it
// says (BTH, extension headers, payload). Only the fields that its opcode has are written or read.
#pragma once

#include "dataplane/base/address.hpp"
#include "tools/pktgen/roce/opcode.hpp"

#include <cstdint>
#include <span>

namespace pktgen {

inline constexpr std::uint16_t path_mtu_min = 256;
inline constexpr std::uint16_t path_mtu_max = 4096;

// What is equal in all frames of one direction of a QP. Both addresses are of one family.
struct Path {
  base::MacAddress source_mac;
  base::MacAddress destination_mac;
  base::IpAddress source;
  base::IpAddress destination;
  std::uint8_t tos = 0;  // DSCP and ECN; IPv6's traffic class.
  std::uint8_t ttl = 64;
  std::uint16_t identification = 0;  // IPv4 only.
  std::uint32_t flow_label = 0;      // IPv6 only.
  std::uint16_t source_port = 49152;
  std::uint16_t udp_checksum = 0;  // As read; A17.3.2.4 wants 0, and only 0 is ever written.
};

struct Reth {
  std::uint64_t address;
  std::uint32_t key;
  std::uint32_t bytes;
};

struct Aeth {
  std::uint8_t syndrome;
  std::uint32_t msn;
};

struct Deth {
  std::uint32_t key;
  std::uint32_t source_qp;
};

struct AtomicEth {
  std::uint64_t address;
  std::uint32_t key;
  std::uint64_t swap_or_add;
  std::uint64_t compare;
};

struct RocePacket {
  std::uint8_t opcode = 0;
  bool is_solicited = false;
  bool has_migrated = false;
  bool wants_ack = false;
  bool fecn = false;
  bool becn = false;
  std::uint16_t partition_key = 0xffff;
  std::uint32_t destination_qp = 0;
  std::uint32_t psn = 0;
  Reth reth{};
  Aeth aeth{};
  Deth deth{};
  AtomicEth atomic{};
  std::uint64_t atomic_original = 0;
  std::uint32_t immediate = 0;
  std::uint32_t invalidated_key = 0;
  std::uint32_t flush_types = 0;            // FETH.
  std::span<const std::uint8_t> payload{};  // Without padding; borrowed.
};

// IBTA volume 1, table 45: the upper bits of an AETH's syndrome.
namespace syndrome {
inline constexpr std::uint8_t ack = 0x00, rnr = 0x20, nak = 0x60;
inline constexpr std::uint8_t kind_mask = 0x60, value_mask = 0x1f;
inline constexpr std::uint8_t ack_without_credits = 0x1f;  // No end-to-end flow control.
inline constexpr std::uint8_t sequence_error = 0x60, invalid_request = 0x61,
                              remote_access_error = 0x62, remote_operational_error = 0x63;
}  // namespace syndrome

// How Linux chooses a QP's UDP source port and flow label (rdma_calc_flow_label,
// rdma_flow_label_to_udp_sport): the same in both directions.
constexpr std::uint32_t flow_label_of(std::uint32_t qp, std::uint32_t peer_qp) noexcept {
  std::uint64_t label = std::uint64_t{qp} * peer_qp;
  label ^= label >> 20;
  label ^= label >> 40;
  return static_cast<std::uint32_t>(label & 0xf'ffff);
}
constexpr std::uint16_t source_port_of(std::uint32_t qp, std::uint32_t peer_qp) noexcept {
  const std::uint32_t label = flow_label_of(qp, peer_qp);
  return static_cast<std::uint16_t>(((label & 0x3fff) ^ ((label & 0xf'c000) >> 14)) | 0xc000);
}

// IBTA volume 1, §9.7.1: PSNs are compared as signed numbers of 24 bits.
constexpr std::int32_t psn_distance(std::uint32_t from, std::uint32_t to) noexcept {
  return static_cast<std::int32_t>((to - from) << 8) >> 8;
}
constexpr std::uint32_t psn_after(std::uint32_t psn, std::uint32_t packets) noexcept {
  return (psn + packets) & mask_24;
}

}  // namespace pktgen
