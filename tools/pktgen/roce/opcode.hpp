// SPDX-License-Identifier: Apache-2.0
// BTH opcodes by name, and which extension headers follow them in which order (IBTA volume 1,
// table 38). How many bytes they are in all must agree with pipelines/stages/bth.hpp, which a test
// asserts: this list names the headers, that one only skips them.
#pragma once

#include <cstdint>

namespace pktgen {

// The upper three bits of an opcode.
enum class Transport : std::uint8_t { rc = 0x00, uc = 0x20, ud = 0x60 };

// The lower five bits. UC knows up to write_only_immediate, UD send_only and send_only_immediate.
enum class Operation : std::uint8_t {
  send_first = 0x00,
  send_middle = 0x01,
  send_last = 0x02,
  send_last_immediate = 0x03,
  send_only = 0x04,
  send_only_immediate = 0x05,
  write_first = 0x06,
  write_middle = 0x07,
  write_last = 0x08,
  write_last_immediate = 0x09,
  write_only = 0x0a,
  write_only_immediate = 0x0b,
  read_request = 0x0c,
  read_response_first = 0x0d,
  read_response_middle = 0x0e,
  read_response_last = 0x0f,
  read_response_only = 0x10,
  acknowledge = 0x11,
  atomic_acknowledge = 0x12,
  compare_swap = 0x13,
  fetch_add = 0x14,
  send_last_invalidate = 0x16,
  send_only_invalidate = 0x17,
  flush = 0x1c,
  atomic_write = 0x1d,
};

constexpr std::uint8_t opcode_of(Transport transport, Operation operation) noexcept {
  return static_cast<std::uint8_t>(static_cast<unsigned>(transport) |
                                   static_cast<unsigned>(operation));
}
constexpr Operation operation_of(std::uint8_t opcode) noexcept {
  return static_cast<Operation>(opcode & 0x1f);
}
constexpr std::uint8_t transport_bits(std::uint8_t opcode) noexcept {
  return opcode & 0xe0;
}

inline constexpr std::uint8_t cnp_opcode = 0x81;
inline constexpr std::uint32_t mask_24 = 0xff'ffff;  // Of QPNs, PSNs and MSNs.

// The extension headers of an opcode, as bits; on the wire they stand in this order.
namespace extension {
inline constexpr std::uint16_t deth = 1, feth = 2, reth = 4, atomic = 8, aeth = 16, atomic_ack = 32,
                               immediate = 64, invalidate = 128, cnp_reserved = 256;
}  // namespace extension

// Those of an operation on a connection.
constexpr std::uint16_t extensions_of(Operation operation) noexcept {
  using enum Operation;
  switch (operation) {
    case send_first:
    case send_middle:
    case send_last:
    case send_only:
    case write_middle:
    case write_last:
    case read_response_middle: return 0;
    case send_last_immediate:
    case send_only_immediate:
    case write_last_immediate: return extension::immediate;
    case write_first:
    case write_only:
    case read_request:
    case atomic_write: return extension::reth;
    case write_only_immediate: return extension::reth | extension::immediate;
    case read_response_first:
    case read_response_last:
    case read_response_only:
    case acknowledge: return extension::aeth;
    case atomic_acknowledge: return extension::aeth | extension::atomic_ack;
    case compare_swap:
    case fetch_add: return extension::atomic;
    case send_last_invalidate:
    case send_only_invalidate: return extension::invalidate;
    case flush: return extension::feth | extension::reth;
  }
  return 0;  // A reserved operation.
}

// False of what this library neither writes nor reads: XRC, RD and mlx5's DC, manufacturers' own.
constexpr bool is_known(std::uint8_t opcode) noexcept {
  if (opcode == cnp_opcode) return true;
  const unsigned operation = opcode & 0x1f;
  switch (transport_bits(opcode)) {
    case 0x00:
      return operation <= 0x14 || (operation >= 0x16 && operation <= 0x17) ||
             (operation >= 0x1c && operation <= 0x1d);
    case 0x20: return operation <= 0x0b;
    case 0x60: return operation == 0x04 || operation == 0x05;
    default: return false;
  }
}

constexpr std::uint16_t extensions_of(std::uint8_t opcode) noexcept {
  if (opcode == cnp_opcode) return extension::cnp_reserved;
  const std::uint16_t of_datagram =
      transport_bits(opcode) == static_cast<unsigned>(Transport::ud) ? extension::deth : 0;
  return of_datagram | extensions_of(operation_of(opcode));
}

constexpr unsigned extension_bytes(std::uint8_t opcode) noexcept {
  const unsigned bits = extensions_of(opcode);
  unsigned bytes = 0;
  if ((bits & extension::deth) != 0) bytes += 8;
  if ((bits & extension::feth) != 0) bytes += 4;
  if ((bits & extension::reth) != 0) bytes += 16;
  if ((bits & extension::atomic) != 0) bytes += 28;
  if ((bits & extension::aeth) != 0) bytes += 4;
  if ((bits & extension::atomic_ack) != 0) bytes += 8;
  if ((bits & extension::immediate) != 0) bytes += 4;
  if ((bits & extension::invalidate) != 0) bytes += 4;
  if ((bits & extension::cnp_reserved) != 0) bytes += 16;
  return bytes;
}

}  // namespace pktgen
