// SPDX-License-Identifier: Apache-2.0
// What an endpoint knows of a QP: what it did as a sender, and what it saw as a receiver.
#pragma once

#include "tools/pktgen/roce/sequence.hpp"
#include "tools/pktgen/roce/stamp.hpp"

#include <cstdint>

namespace pktgen {

struct SendFacts {
  std::uint64_t frames = 0;          // Requests and READ responses, repetitions among them.
  std::uint64_t payload_bytes = 0;   // Of those.
  std::uint64_t stamped = 0;         // Of those frames, with a sequence number.
  std::uint64_t repeated = 0;        // Of those frames: sent before.
  std::uint64_t control_frames = 0;  // ACKs, NAKs, atomic responses.
  std::uint64_t cnps = 0;
  std::uint64_t messages_completed = 0;
  std::uint64_t bytes_completed = 0;
  std::uint64_t cnps_received = 0;
  std::uint64_t acks_received = 0;
  std::uint64_t sequence_naks_received = 0;
  std::uint64_t rnr_naks_received = 0;
  std::uint64_t timeouts = 0;
};

struct ReceiveFacts {
  std::uint64_t frames = 0;          // With a right ICRC, for this QP; all but CNPs.
  std::uint64_t data_frames = 0;     // Of those: that carry requests or READ responses.
  std::uint64_t payload_bytes = 0;   // Of those, repetitions among them.
  std::uint64_t unstamped = 0;       // Of those, with a payload too short for a stamp.
  std::uint64_t ect_frames = 0;      // Of data frames: ECT(0), ECT(1) or CE.
  std::uint64_t ce_frames = 0;       // Of data frames.
  std::uint64_t icrc_failures = 0;   // Whose QP number, which may be wrong itself, is this one.
  SequenceTracker sequence{};        // Of stamped frames: what the network did to them.
  std::uint64_t psn_gaps = 0;        // Times that a PSN above the expected one came first.
  std::uint64_t psn_duplicates = 0;  // PSNs below the expected one: repaired too much, or copied.
  std::uint64_t messages = 0;
  std::uint64_t message_bytes = 0;  // Of whole messages, in order.
  std::uint64_t rnr_naks_sent = 0;
  std::uint64_t invalid_requests = 0;
};

struct QpFacts {
  SendFacts sent;
  ReceiveFacts received;
};

}  // namespace pktgen
