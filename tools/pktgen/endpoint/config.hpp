// SPDX-License-Identifier: Apache-2.0
// What an endpoint, its QPs and their work are told. Both ends of a QP must agree on path MTU, and
// each one's starting PSN is the other's expected one.
#pragma once

#include "tools/pktgen/endpoint/reaction_point.hpp"
#include "tools/pktgen/roce/frame.hpp"

#include <cstdint>
#include <limits>
#include <optional>

namespace pktgen {

enum class WorkKind : std::uint8_t { send, write, read, compare_swap, fetch_add };

struct Work {
  static constexpr std::uint64_t for_ever = std::numeric_limits<std::uint64_t>::max();

  WorkKind kind = WorkKind::send;
  std::uint32_t bytes = 0;  // Of a message; UD's are one packet. Atomics have 8.
  std::uint64_t repeat = 1;
  bool has_immediate = false;
  bool is_solicited = false;
  std::uint64_t remote_address = 0x1'0000'0000;
  std::uint32_t remote_key = 1;
  std::uint64_t swap_or_add = 0;
  std::uint64_t compare = 0;
  std::uint64_t id = 0;  // Comes back with the completion.
};

struct QpConfig {
  Transport transport = Transport::rc;
  std::uint32_t qp = 0;
  std::uint32_t peer_qp = 0;
  Path path{};  // Of what this end sends; its tos holds the ECT codepoint of data.
  std::optional<Tunnel> tunnel{};
  std::uint16_t path_mtu = 1024;
  std::uint32_t starting_psn = 0;
  std::uint32_t expected_psn = 0;
  std::uint16_t partition_key = 0xffff;
  std::uint32_t queue_key = 0x1111'1111;  // UD.

  std::uint32_t window_packets = 1024;     // Unacknowledged at most.
  std::uint32_t reads_max = 16;            // READs and atomics outstanding at most.
  std::uint32_t ack_request_packets = 64;  // AckReq at least so often within a message.
  std::uint32_t ack_every_packets = 64;    // The other side acknowledges at least so often.
  std::uint8_t timeout_exponent = 14;      // 4.096 µs × 2^n; 0 is never. 14: 67 ms.
  std::uint8_t retries = 7;
  std::uint8_t rnr_retries = 7;  // 7 is for ever.
  std::uint8_t rnr_timer = 12;   // Code in our RNR NAKs; 12: 0.64 ms.
  // Receives that SENDs consume; with none left they are answered by RNR NAK.
  std::uint64_t receives = std::numeric_limits<std::uint64_t>::max();

  double rate_bps_max = 0;  // 0: the endpoint's line rate.
};

struct EndpointConfig {
  double line_bps = 0;                // 0: as fast as it is polled, and DCQCN is off.
  std::uint32_t overhead_bytes = 24;  // Per frame on the line: FCS, preamble, gap.
  std::optional<DcqcnParameters> dcqcn{};
  // CNPs are made whether or not this end reacts to them; at most one per QP and interval.
  bool makes_cnps = true;
  Time cnp_interval = 50 * ps_per_us;
  std::uint8_t cnp_tos = 48 << 2 | 2;  // DSCP 48, ECT(0): as ConnectX sends them.
  // A poll that comes late catches up by so much time, and no more. 0 in virtual time is exact.
  Time catch_up = 0;
  bool checks_icrc = true;
  // Of connection management: how long it waits for an answer, and how often it asks again.
  Time cm_repeat_after = 500 * ps_per_ms;
  unsigned cm_repeats = 15;
};

}  // namespace pktgen
