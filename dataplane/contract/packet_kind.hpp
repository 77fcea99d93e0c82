// SPDX-License-Identifier: Apache-2.0
// What a packet is, as the classifier sees it and as counters, filters and metrics name it.
// Values are never renumbered.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace contract {

enum class PacketKind : std::uint8_t {
  not_ip,          // ARP, LLDP, and anything else without an IP header.
  ip,              // IP, not RoCE.
  roce_malformed,  // UDP port 4791, but the lengths or fields are no valid BTH packet.
  roce_send,
  roce_write,
  roce_read_request,
  roce_read_response,
  roce_atomic_request,
  roce_atomic_response,
  roce_ack,
  roce_nak,      // Sequence, access and other errors.
  roce_rnr_nak,  // Receiver not ready.
  roce_cnp,      // Opcode 0x81 (IBTA Annex A17.9.2).
  roce_cm,       // UD to QP 1: connection management.
  roce_ud,
  roce_other,  // RD space (mlx5 DC uses it), FLUSH, manufacturer and reserved opcodes.
  roce_v1,     // EtherType 0x8915.
  count,
};

inline constexpr std::size_t packet_kind_count = static_cast<std::size_t>(PacketKind::count);
inline constexpr std::size_t packet_kind_slots = 32;  // Room in shared memory; never shrinks.

inline constexpr std::array<std::string_view, packet_kind_count> packet_kind_names{
    "not_ip",
    "ip",
    "roce_malformed",
    "roce_send",
    "roce_write",
    "roce_read_request",
    "roce_read_response",
    "roce_atomic_request",
    "roce_atomic_response",
    "roce_ack",
    "roce_nak",
    "roce_rnr_nak",
    "roce_cnp",
    "roce_cm",
    "roce_ud",
    "roce_other",
    "roce_v1"};

constexpr std::string_view name(PacketKind kind) noexcept {
  const auto index = static_cast<std::size_t>(kind);
  return index < packet_kind_count ? packet_kind_names[index] : "unknown_kind";
}

// A RoCEv2 packet whose BTH could be read.
constexpr bool is_roce_v2(PacketKind kind) noexcept {
  return kind >= PacketKind::roce_send && kind <= PacketKind::roce_other;
}

// The two ECN bits as RFC 3168 section 5 writes them.
enum class Ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

inline constexpr std::array<std::string_view, 4> ecn_names{"not_ect", "ect1", "ect0", "ce"};

constexpr std::string_view name(Ecn ecn) noexcept {
  return ecn_names[static_cast<std::size_t>(ecn) & 3];
}

}  // namespace contract
