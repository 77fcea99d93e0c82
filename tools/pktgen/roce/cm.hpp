// SPDX-License-Identifier: Apache-2.0
// Connection management (IBTA volume 1, chapter 12) as RDMA-CM uses it over RoCEv2: MADs of 256
// bytes in UD SENDs between the QPs 1. The starting PSN in a REQ or REP is the one that its
// receiver uses for what it sends: each side tells the other which PSN it expects first.
#pragma once

#include "tools/pktgen/roce/packet.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace pktgen {

inline constexpr std::uint32_t general_services_qp = 1;
inline constexpr std::uint32_t general_services_key = 0x8001'0000;  // The Q_Key of QP 1.

enum class CmAttribute : std::uint16_t {
  request = 0x10,       // REQ
  reject = 0x12,        // REJ
  reply = 0x13,         // REP
  ready_to_use = 0x14,  // RTU
  disconnect = 0x15,    // DREQ
  disconnected = 0x16,  // DREP
};

// The fields of REQ, except the alternate path, which stays zero.
struct CmRequest {
  std::uint64_t service_id = 0;  // RDMA-CM's TCP port space: 0x0106'0000 + port.
  std::uint64_t adapter_guid = 0;
  std::uint32_t qp = 0;
  std::uint8_t responder_resources = 4;
  std::uint8_t initiator_depth = 4;
  std::uint8_t transport = 0;              // 0 RC, 1 UC.
  std::uint8_t remote_response_time = 20;  // 4.096 µs × 2^n.
  std::uint8_t local_response_time = 20;
  std::uint32_t starting_psn = 0;
  std::uint8_t retries = 7;
  std::uint16_t partition_key = 0xffff;
  std::uint8_t path_mtu = 3;  // Code: 1 is 256, 5 is 4096.
  std::uint8_t rnr_retries = 7;
  std::uint8_t cm_retries = 15;
  std::array<std::uint8_t, 16> local_gid{};
  std::array<std::uint8_t, 16> remote_gid{};
  std::uint32_t flow_label = 0;
  std::uint16_t rate_bits = 0;  // The 12 bits behind the flow label.
  std::uint8_t traffic_class = 0;
  std::uint8_t hop_limit = 64;
  std::uint8_t ack_timeout = 17;
};

struct CmReply {
  std::uint64_t adapter_guid = 0;
  std::uint32_t qp = 0;
  std::uint32_t starting_psn = 0;
  std::uint8_t responder_resources = 4;
  std::uint8_t initiator_depth = 4;
  std::uint8_t ack_delay = 15;
  std::uint8_t rnr_retries = 7;
};

struct CmMessage {
  static constexpr std::size_t bytes = 256;
  static constexpr std::size_t header_bytes = 24;
  using Mad = std::array<std::uint8_t, bytes>;

  CmAttribute attribute = CmAttribute::request;
  std::uint64_t transaction = 0;
  std::uint32_t local_id = 0;
  std::uint32_t remote_id = 0;  // All but REQ.
  CmRequest request{};
  CmReply reply{};
  std::uint32_t remote_qp = 0;                   // DREQ.
  std::uint16_t reject_reason = 0;               // REJ; 8 is an unknown service id, 28 consumer's.
  std::array<std::uint8_t, 232> private_data{};  // As much as the attribute has room for.
};

// How many bytes of private data an attribute has, and where in the MAD.
std::size_t private_offset(CmAttribute attribute) noexcept;

CmMessage::Mad write_cm(const CmMessage& message) noexcept;
// nullopt where it is no CM message of the attributes above.
std::optional<CmMessage> parse_cm(std::span<const std::uint8_t> mad) noexcept;

// RDMA-CM's header in front of a REQ's private data (Linux, cma_hdr): who asks, and whom.
struct CmAddresses {
  base::IpAddress source;
  base::IpAddress destination;
  std::uint16_t source_port;
};
void write_addresses(CmMessage& message, const CmAddresses& addresses) noexcept;

// The UD packet around a MAD.
RocePacket cm_packet(std::span<const std::uint8_t> mad, std::uint32_t psn) noexcept;

constexpr std::uint64_t cm_service_of_port(std::uint16_t port) noexcept {
  return 0x0106'0000u + port;
}
constexpr std::uint8_t path_mtu_code(std::uint16_t bytes) noexcept {
  std::uint8_t code = 1;
  for (unsigned size = path_mtu_min; size < bytes; size *= 2) ++code;
  return code;
}
// 0 of what is no code.
constexpr std::uint16_t path_mtu_of(std::uint8_t code) noexcept {
  return code == 0 || code > 5 ? 0 : static_cast<std::uint16_t>(128u << code);
}

}  // namespace pktgen
