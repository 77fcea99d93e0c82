// SPDX-License-Identifier: Apache-2.0
// What a BTH says: which operation this is, and to which QP.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"
#include "pipelines/stages/bth.hpp"

#include <array>
#include <cstdint>

namespace dp {

inline constexpr unsigned icrc_bytes = 4;

// An acknowledgement's fate stands in its AETH syndrome (IBTA volume 1 table 44): bits 7-5 are
// 000 ACK, 001 RNR NAK, 011 NAK, and nothing else.
inline PacketKind acknowledge_kind(std::uint8_t syndrome) noexcept {
  switch (syndrome >> 5) {
    case 0: return PacketKind::roce_ack;
    case 1: return PacketKind::roce_rnr_nak;
    case 3: return PacketKind::roce_nak;
    default: return PacketKind::roce_malformed;
  }
}

// What lies behind the UDP header; of the AETH, which only some packets have, its first byte.
struct RoceHead {
  BthHeader bth;
  std::uint8_t syndrome;
};
static_assert(sizeof(RoceHead) == 13);

struct RoceIdentity {
  PacketKind kind = PacketKind::roce_malformed;
  std::uint32_t destination_qp = 0;
};

// `udp_length` as the UDP header has it; the IP length agrees with it.
inline RoceIdentity identify_roce(const RoceHead& head, unsigned udp_length) noexcept {
  if (head.bth.transport_version() != 0) return {};
  const OpcodeMeaning& meaning = bth::meanings[head.bth.opcode];
  if (meaning.kind == PacketKind::roce_malformed) __builtin_unreachable();  // No opcode's.
  const unsigned least = sizeof(UdpHeader) + sizeof(BthHeader) + meaning.extension_bytes +
                         head.bth.pad_count() + icrc_bytes;
  if (udp_length < least) return {};

  RoceIdentity identity{.kind = meaning.kind, .destination_qp = head.bth.destination_qp()};
  if (meaning.depends) {
    if (identity.kind == PacketKind::roce_ack) {
      identity.kind = acknowledge_kind(head.syndrome);
    } else if (identity.destination_qp == bth::general_services_qp) {
      identity.kind = PacketKind::roce_cm;
    }
  }
  return identity;
}

}  // namespace dp
