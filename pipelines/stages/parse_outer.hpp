// SPDX-License-Identifier: Apache-2.0
// parse_outer: is a frame from the underlay a sound UDP packet for this gateway's MAC? Everything
// that the sender or the fabric could have damaged is checked here, before anything is believed.
// ARP and neighbour discovery go to the housekeeper as they are.
#pragma once

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/pattern.hpp"
#include "dataplane/packet/plain_ipv4.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/tunnels/tunnels.hpp"

namespace dp {

struct ParseOuter {
  static constexpr StageInfo info{
      .name = "parse_outer",
      .needs = {Fact::received, Fact::gathered},
      .sets = {Fact::outer_parsed},
      .may_drop = {DropReason::frame_truncated, DropReason::wrong_destination_mac,
                   DropReason::ethertype_not_handled, DropReason::ipv4_bad_version,
                   DropReason::ipv4_bad_header_length, DropReason::ipv4_bad_total_length,
                   DropReason::ipv4_bad_checksum, DropReason::ipv4_options,
                   DropReason::ipv4_fragment, DropReason::ipv6_bad_version,
                   DropReason::ipv6_bad_payload_length, DropReason::ipv6_extension_header,
                   DropReason::protocol_not_handled, DropReason::udp_bad_length,
                   DropReason::udp_bad_checksum, DropReason::unknown_vlan,
                   DropReason::punt_rate_exceeded, DropReason::punt_queue_full}};

  explicit ParseOuter(const Environment& environment) noexcept : environment_(environment) {}

  // Sound VXLAN over IPv4 is most of what comes: what it must look like is asked here, in one go,
  // and only for the rest, why not.
  Verdict handle(Packet packet) noexcept {
    struct Head {
      EthernetHeader ethernet;
      Ipv4Header ip;
      UdpHeader udp;
    };
    if (packet.contiguous() < sizeof(Head)) [[unlikely]]
      return handle_rest(packet);
    const auto& head = packet.header<Head>(0);
    const unsigned total = head.ip.total_length.host();
    if (!is_pattern_made_) make_pattern();
    const bool is_sound = total - l4_min <= packet.length() - sizeof(EthernetHeader) - l4_min &&
                          head.udp.length.host() == total - sizeof(Ipv4Header) &&
                          checksum_holds(head.ip);
    // RFC 7348 §4.1 wants no UDP checksum.
    if (!ours_.matches(packet.data()) || !is_sound || head.udp.checksum != be16(0)) [[unlikely]]
      return handle_rest(packet);

    const std::uint8_t tos = head.ip.tos;
    note<Ipv4Header>(packet.meta(), tos, total - static_cast<unsigned>(sizeof(Ipv4Header)));
    return keep;
  }
  // The next one may come from another port.
  void end_batch() noexcept { is_pattern_made_ = false; }

 private:
  static constexpr std::uint32_t l4_min = sizeof(Ipv4Header) + sizeof(UdpHeader);

  // The same question by question, each with its reason; and IPv6. What is sound but no tunnel's is
  // diverted to the host where it has a twin of the port.
  Verdict handle_rest(Packet packet) const noexcept;
  bool is_hosts_mac(Packet packet) const noexcept;
  Verdict strip_priority_tag(Packet packet) const noexcept;
  Verdict judge_ipv4(Packet packet) const noexcept;
  Verdict judge_ipv6(Packet packet) const noexcept;
  Verdict for_host_or(DropReason reason) const noexcept {
    return environment_.in_port->twin == base::no_port ? reason : divert;
  }
  // Its lengths and checksum are the kernel's to judge, which costs nothing here.
  bool is_hosts_udp(const UdpHeader& udp) const noexcept {
    return !is_tunnel_port(udp.destination) && environment_.in_port->twin != base::no_port;
  }
  template <class Ip>
  static void note(PacketMeta& meta, std::uint8_t tos, unsigned l4_length) noexcept {
    meta.outer_tos = tos;
    meta.l3 = sizeof(EthernetHeader);
    meta.l4 = sizeof(EthernetHeader) + sizeof(Ip);
    meta.l4_length = static_cast<std::uint16_t>(l4_length);
  }

  void make_pattern() noexcept {
    ours_.ask(0, environment_.in_port->mac.bytes);
    is_pattern_made_ = true;
  }

  const Environment& environment_;
  // UDP over plain IPv4 to the MAC of this batch's port: the first bytes of a frame.
  Pattern ours_ = [] {
    Pattern pattern;
    ask_for_plain_ipv4_udp(pattern, 0);
    return pattern;
  }();
  bool is_pattern_made_ = false;
};

}  // namespace dp
