// SPDX-License-Identifier: Apache-2.0
// parse_outer: is a frame from the underlay a sound UDP packet for this gateway's MAC? Everything
// that the sender or the fabric could have damaged is checked here, before anything is believed.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"

namespace dp {

struct ParseOuter {
  static constexpr StageInfo info{
      .name = "parse_outer",
      .needs = {Fact::received},
      .sets = {Fact::outer_parsed},
      .may_drop = {DropReason::frame_truncated, DropReason::headers_segmented,
                   DropReason::wrong_destination_mac, DropReason::ethertype_not_handled,
                   DropReason::ipv4_bad_version, DropReason::ipv4_bad_header_length,
                   DropReason::ipv4_bad_total_length, DropReason::ipv4_bad_checksum,
                   DropReason::ipv4_options, DropReason::ipv4_fragment,
                   DropReason::protocol_not_handled, DropReason::udp_bad_length,
                   DropReason::udp_bad_checksum}};

  explicit ParseOuter(const Environment& environment) noexcept : environment_(environment) {}

  Verdict handle(Packet packet) noexcept;

 private:
  const Environment& environment_;
};

}  // namespace dp
