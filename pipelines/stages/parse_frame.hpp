// SPDX-License-Identifier: Apache-2.0
// parse_frame: finds the IP header of the carried frame behind up to two VLAN tags, checks that its
// lengths fit the frame, and hashes its flow. A frame without IP passes; a broken IP header dies.
#pragma once

#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"

namespace dp {

// Where the frame lies, which decides what its ECN is compared with later.
enum class FramePlace : std::uint8_t {
  outermost,  // As received: its own TOS is the outermost one.
  in_tunnel,  // Behind a tunnel header that is gone: outer_tos is the tunnel's.
};

// Fills l3, l4, ip_version, l4_protocol, tos, l4_length, flow_hash and a first kind.
// `start` is the offset of the Ethernet header.
Verdict parse_frame_at(Packet packet, std::uint16_t start) noexcept;

template <FramePlace place>
struct ParseFrame {
  static constexpr StageInfo info{
      .name = "parse_frame",
      .needs = place == FramePlace::outermost ? Facts{Fact::received}
                                              : Facts{Fact::outer_parsed, Fact::network},
      .sets = {Fact::parsed},
      .may_drop = {DropReason::frame_truncated, DropReason::headers_segmented,
                   DropReason::ipv4_bad_version, DropReason::ipv4_bad_header_length,
                   DropReason::ipv4_bad_total_length, DropReason::ipv6_bad_version,
                   DropReason::ipv6_bad_payload_length}};

  explicit ParseFrame(const Environment&) noexcept {}

  Verdict handle(Packet packet) noexcept {
    const Verdict verdict = parse_frame_at(packet, 0);
    if constexpr (place == FramePlace::outermost) packet.meta().outer_tos = packet.meta().tos;
    return verdict;
  }
};

}  // namespace dp
