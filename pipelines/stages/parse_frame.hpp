// SPDX-License-Identifier: Apache-2.0
// parse_frame: finds the IP header of the carried frame behind up to two VLAN tags, checks that its
// lengths fit the frame. A frame without IP passes; a broken IP header dies.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/stages/plain_roce.hpp"

#include <cstddef>

namespace dp {

// Where the frame lies, which decides what its ECN is compared with later.
enum class FramePlace : std::uint8_t {
  outermost,  // As received: its own TOS is the outermost one.
  in_tunnel,  // Behind a tunnel header that is gone: outer_tos is the tunnel's.
};

// Everything but plain IPv4: VLAN tags, IPv4 options, IPv6, and what is no IP; and the reason why a
// broken header is refused.
Verdict parse_other_frame(Packet packet, std::uint16_t start) noexcept;

// What parse_frame finds out about a sound IPv4 header.
inline void note_ipv4(Packet packet, std::uint16_t l3, unsigned header_bytes,
                      unsigned total) noexcept {
  // All is read before anything is written, which the compiler could take for the header.
  const auto& ip = packet.header<Ipv4Header>(l3);
  const std::uint8_t tos = ip.tos;
  // All fragments of a datagram must hash alike, and only the first one has ports.
  const std::uint8_t protocol = ip.is_fragment() ? 0 : ip.protocol;
  PacketMeta& meta = packet.meta();
  meta.l3 = l3;
  meta.l4 = static_cast<std::uint16_t>(l3 + header_bytes);
  meta.ip_version = 4;
  meta.l4_protocol = protocol;
  meta.tos = tos;
  meta.kind = PacketKind::ip;
  meta.l4_length = static_cast<std::uint16_t>(total - header_bytes);
}

// Fills l3, l4, ip_version, l4_protocol, tos, l4_length and a first kind. `start` is the offset of
// the Ethernet header. Untagged IPv4 without options is inlined, for it is most of it: two
// comparisons decide, the rest is somebody else's work.
inline Verdict parse_frame_at(Packet packet, std::uint16_t start) noexcept {
  struct Head {
    be16 type;
    Ipv4Header ip;
  };
  constexpr std::uint16_t before = offsetof(EthernetHeader, type);
  const auto l3 = static_cast<std::uint16_t>(start + sizeof(EthernetHeader));
  if (l3 + sizeof(Ipv4Header) <= packet.contiguous()) [[likely]] {
    const auto& head = packet.header<Head>(static_cast<std::uint16_t>(start + before));
    const unsigned total = head.ip.total_length.host();
    const bool is_plain =
        head.type == be16(ethertype::ipv4) && head.ip.version_ihl == Ipv4Header::plain;
    // Below its own header's length a total becomes a very large number.
    const bool fits = total - sizeof(Ipv4Header) <= packet.length() - l3 - sizeof(Ipv4Header);
    if (is_plain && fits) [[likely]] {
      note_ipv4(packet, l3, sizeof(Ipv4Header), total);
      return keep;
    }
  }
  return parse_other_frame(packet, start);
}

template <FramePlace place>
struct ParseFrame {
  static constexpr StageInfo info{
      .name = "parse_frame",
      .needs = place == FramePlace::outermost
                   ? Facts{Fact::received, Fact::gathered, Fact::wire_sized}
                   : Facts{Fact::outer_parsed, Fact::network},
      .sets = {Fact::parsed},
      .may_drop = {DropReason::frame_truncated, DropReason::ipv4_bad_version,
                   DropReason::ipv4_bad_header_length, DropReason::ipv4_bad_total_length,
                   DropReason::ipv6_bad_version, DropReason::ipv6_bad_payload_length,
                   DropReason::ethertype_not_handled}};

  explicit ParseFrame(const Environment&) noexcept {}

  Verdict handle(Packet packet) noexcept {
    Verdict verdict = keep;
    if (!recognize_plain_roce<Ipv4Header>(packet, plain_roce_ipv4)) {
      all_plain_ = false;
      if (!recognize_plain_roce_ipv6(packet)) verdict = parse_frame_at(packet, 0);
    }
    if constexpr (place == FramePlace::outermost) packet.meta().outer_tos = packet.meta().tos;
    return verdict;
  }
  void begin_batch() noexcept { all_plain_ = true; }
  void end_batch(Batch& batch) noexcept {
    if (all_plain_) batch.note_plain();
  }

 private:
  bool all_plain_ = false;
};

}  // namespace dp
