// SPDX-License-Identifier: Apache-2.0
// parse_outer: is a frame from the underlay a sound UDP packet for this gateway's MAC? Everything
// that the sender or the fabric could have damaged is checked here, before anything is believed.
// ARP and neighbour discovery go to the housekeeper as they are.
#pragma once

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/pattern.hpp"
#include "dataplane/packet/plain_udp.hpp"
#include "dataplane/packet/udp_tunnel.hpp"
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

  // Sound VXLAN is most of what comes: what it must look like is asked here, in one go, over IPv6
  // behind a call, and only for the rest, why not.
  Verdict handle(Packet packet) noexcept {
    return is_plain<Ipv4Header>(packet, ipv4_) ? keep : handle_ipv6(packet);
  }
  // Each batch may come from another port.
  void begin_batch() noexcept {
    ipv4_.ask(0, environment_.in_port->mac.bytes);
    ipv6_.ask(0, environment_.in_port->mac.bytes);
  }

 private:
  // A sound UDP packet to this port's MAC, without options or a UDP checksum (RFC 7348 §4.1, RFC
  // 6935 §5); its meta is filled then.
  template <class Ip>
  static bool is_plain(Packet packet, const Pattern& pattern) noexcept {
    using Outer = UdpTunnelHeader<Ip>;
    constexpr std::uint32_t l4 = offsetof(Outer, udp);
    if (packet.contiguous() < sizeof(Outer)) [[unlikely]]
      return false;
    const auto& outer = packet.header<Outer>(0);
    // Below its own headers' length it becomes a very large number.
    const std::uint32_t l4_length = l4_length_of(outer.ip);
    const bool is_sound =
        l4_length - sizeof(UdpHeader) <= packet.length() - l4 - sizeof(UdpHeader) &&
        outer.udp.length.host() == l4_length && is_header_sound(outer.ip);
    if (!pattern.matches(packet.data()) || !is_sound || outer.udp.checksum != be16(0)) [[unlikely]]
      return false;
    note<Ip>(packet.meta(), tos_of(outer.ip), l4_length);
    return true;
  }
  static bool is_header_sound(const Ipv4Header& ip) noexcept { return checksum_holds(ip); }
  static bool is_header_sound(const Ipv6Header&) noexcept { return true; }

  Verdict handle_ipv6(Packet packet) const noexcept;
  // The same question by question, each with its reason. What is sound but no tunnel's is diverted
  // to the host where it has a twin of the port.
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
    meta.set_offsets(sizeof(EthernetHeader), sizeof(EthernetHeader) + sizeof(Ip));
    meta.l4_length = static_cast<std::uint16_t>(l4_length);
  }

  const Environment& environment_;
  // The first bytes of UDP without options to the MAC of this batch's port.
  Pattern ipv4_ = [] {
    Pattern pattern;
    ask_for_plain_ipv4_udp(pattern, 0);
    return pattern;
  }();
  Pattern ipv6_ = [] {
    Pattern pattern;
    ask_for_plain_ipv6_udp(pattern, 0);
    return pattern;
  }();
};

}  // namespace dp
