// SPDX-License-Identifier: Apache-2.0
// What a BTH opcode means: the kind of operation, and how many bytes of extension headers follow.
// IBTA volume 1 table 38 and Annex A17; RoCEv2's CNP is 0x81, not the transport prefix 0x80.
#pragma once

#include "dataplane/contract/packet_kind.hpp"

#include <array>
#include <cstdint>

namespace dp {

struct alignas(4) OpcodeMeaning {
  contract::PacketKind kind;
  std::uint8_t extension_bytes;  // Between BTH and payload; 0 where the layout is not known.
  bool depends = false;          // The kind depends on what follows the opcode.
};

namespace bth {

inline constexpr std::uint8_t cnp = 0x81;
inline constexpr std::uint8_t rc_acknowledge = 0x11;
inline constexpr std::uint8_t ud_send_only = 0x64;
inline constexpr std::uint8_t ud_send_only_immediate = 0x65;
inline constexpr std::uint32_t general_services_qp = 1;

// Bytes of extension headers.
inline constexpr std::uint8_t reth = 16, aeth = 4, deth = 8, xrceth = 4, atomic = 28,
                              atomic_ack = 8, immediate = 4, ieth = 4, feth = 4;

// The 32 operations of a reliable connection.
constexpr OpcodeMeaning rc_operation(unsigned operation) {
  using enum contract::PacketKind;
  switch (operation) {
    case 0x00:
    case 0x01:
    case 0x02:
    case 0x04: return {roce_send, 0};
    case 0x03:
    case 0x05: return {roce_send, immediate};
    case 0x06:
    case 0x0a: return {roce_write, reth};
    case 0x07:
    case 0x08: return {roce_write, 0};
    case 0x09: return {roce_write, immediate};
    case 0x0b: return {roce_write, reth + immediate};
    case 0x0c: return {roce_read_request, reth};
    case 0x0d:
    case 0x0f:
    case 0x10: return {roce_read_response, aeth};
    case 0x0e: return {roce_read_response, 0};
    case 0x11: return {roce_ack, aeth};
    case 0x12: return {roce_atomic_response, aeth + atomic_ack};
    case 0x13:
    case 0x14: return {roce_atomic_request, atomic};
    case 0x16:
    case 0x17: return {roce_send, ieth};
    case 0x1c: return {roce_other, feth + reth};  // FLUSH.
    case 0x1d: return {roce_write, reth};         // ATOMIC WRITE: a write of 8 bytes.
    default: return {roce_other, 0};
  }
}

constexpr OpcodeMeaning meaning_of(unsigned opcode) {
  using enum contract::PacketKind;
  const unsigned operation = opcode & 0x1f;
  switch (opcode >> 5) {
    case 0:  // RC.
      return rc_operation(operation);
    case 1:  // UC: sends and writes only.
      return operation <= 0x0b ? rc_operation(operation) : OpcodeMeaning{roce_other, 0};
    case 3:  // UD.
      if (opcode == ud_send_only) return {roce_ud, deth};
      if (opcode == ud_send_only_immediate) return {roce_ud, deth + immediate};
      return {roce_other, 0};
    case 4: return opcode == cnp ? OpcodeMeaning{roce_cnp, 16} : OpcodeMeaning{roce_other, 0};
    case 5: {  // XRC: requests carry one header more.
      OpcodeMeaning meaning = rc_operation(operation);
      const bool is_response = operation >= 0x0d && operation <= 0x12;
      if (meaning.kind != roce_other && !is_response) meaning.extension_bytes += xrceth;
      return meaning;
    }
    default:  // RD, which only mlx5 DC uses with a layout of its own; manufacturers'.
      return {roce_other, 0};
  }
}

constexpr std::array<OpcodeMeaning, 256> make_meanings() {
  std::array<OpcodeMeaning, 256> meanings{};
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    OpcodeMeaning& meaning = meanings[opcode] = meaning_of(opcode);
    // Of an acknowledgement on its syndrome, of UD on the QP.
    meaning.depends = meaning.kind == contract::PacketKind::roce_ack ||
                      meaning.kind == contract::PacketKind::roce_ud;
  }
  return meanings;
}
inline constexpr std::array<OpcodeMeaning, 256> meanings = make_meanings();

}  // namespace bth

}  // namespace dp
