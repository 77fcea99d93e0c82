// SPDX-License-Identifier: Apache-2.0
// Data plane ↔ the one that replaces it, at RUNTIME-DIR/handover.sock: three questions in this
// order, each answered once, with the same type, or by the end of the connection. The two may be of
// different releases; their frames are those of the command socket (frame.hpp), and grow as those
// do.
#pragma once

#include "dataplane/contract/command.hpp"
#include "dataplane/contract/frame.hpp"

#include <cstdint>

namespace contract {

enum class HandOverType : std::uint16_t {
  announce = 201,      // Who are you?
  give_control = 202,  // Answered with HandOverDescriptors, when no transaction is open any more.
  give_ports = 203,    // Answered when all are closed; who answered ends.
  cancel = 210,        // No answer: the old one took its control back, as the new one was too late.
};

// What comes with the answer to give_control, in this order; the last may be missing.
enum class HandOverDescriptor : std::uint8_t {
  commands,    // The listener of RUNTIME-DIR/dataplane.sock.
  successors,  // That of RUNTIME-DIR/handover.sock.
  table_file,  // RUNTIME-DIR/endpoints.table, with its lock.
};

// Each frame is one of these, whoever sends it.
struct HandOver {
  std::uint32_t flags;  // Of an answer: hand_over_hugepages.
  std::uint32_t pid;    // The sender's.
  std::uint64_t at_ns;  // CLOCK_MONOTONIC of the last forwarded frame, in the answer to give_ports.
  Text<name_bytes> release;
};

// The old one's packets lie on hugepages.
inline constexpr std::uint32_t hand_over_hugepages = 1;

}  // namespace contract
