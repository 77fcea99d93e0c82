// SPDX-License-Identifier: Apache-2.0
// Every way a packet may die: value, name, one sentence. The names are the same in code, CLI,
// metrics and documents. Values are never renumbered; new ones go before `count`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace contract {

enum class DropReason : std::uint8_t {
  none = 0,  // Not dropped.

  // The frame and its headers.
  frame_truncated,
  ipv4_bad_version,
  ipv4_bad_header_length,
  ipv4_bad_total_length,
  ipv4_bad_checksum,
  ipv4_options,
  ipv4_fragment,
  ipv6_bad_version,
  ipv6_bad_payload_length,
  udp_bad_length,
  udp_bad_checksum,

  // The underlay side: is it a tunnel packet for this gateway?
  wrong_destination_mac,
  ethertype_not_handled,
  destination_not_local,
  protocol_not_handled,
  udp_port_not_handled,
  vxlan_bad_flags,
  unknown_vni,
  unknown_vtep,
  ecn_ce_on_not_ect,

  // Forwarding.
  source_mac_group,
  port_without_network,
  unknown_destination,
  no_flood_target,
  destination_is_ingress_port,
  split_horizon,
  endpoint_target_missing,
  next_hop_unresolved,
  mtu_exceeded,
  port_without_peer,

  // Resources of this program.
  no_headroom,
  no_mbuf,
  port_missing,
  tx_ring_full,

  // Lost before a worker saw the frame: counted by device or kernel, outside the identity.
  rx_ring_full,
  rx_no_mbuf,
  rx_device_error,
  tx_device_error,
  kernel_dropped,
  rx_fill_empty,
  rx_too_long,
  port_unread,

  // Came later.
  ipv6_extension_header,
  next_hop_link_down,
  punt_queue_full,
  large_frame_malformed,
  unknown_vlan,
  network_frame_tagged,
  checksum_unfinished,
  host_policed,
  host_refused,
  udp_checksum_missing,
  punt_rate_exceeded,
  own_frame_refused,
  queue_full,
  marker_dropped,
  hand_over_full,

  count,
};

inline constexpr std::size_t drop_reason_count = static_cast<std::size_t>(DropReason::count);
inline constexpr std::size_t drop_reason_slots = 64;  // Room in shared memory; never shrinks.
static_assert(drop_reason_count <= drop_reason_slots);

struct DropReasonText {
  DropReason reason;
  std::string_view name;
  std::string_view help;
};

inline constexpr std::array<DropReasonText, drop_reason_count> drop_reasons{{
    {DropReason::none, "none", "Not dropped."},
    {DropReason::frame_truncated, "frame_truncated",
     "The frame ends inside a header that its own fields announce."},
    {DropReason::ipv4_bad_version, "ipv4_bad_version",
     "The EtherType says IPv4, the version field does not."},
    {DropReason::ipv4_bad_header_length, "ipv4_bad_header_length",
     "The IPv4 header length is below 5 words or beyond the packet."},
    {DropReason::ipv4_bad_total_length, "ipv4_bad_total_length",
     "The IPv4 total length is smaller than its header or larger than the frame."},
    {DropReason::ipv4_bad_checksum, "ipv4_bad_checksum",
     "The outer IPv4 header checksum is wrong: damaged on the way."},
    {DropReason::ipv4_options, "ipv4_options",
     "The outer IPv4 header carries options, which no VTEP sends."},
    {DropReason::ipv4_fragment, "ipv4_fragment",
     "The tunnel packet is an IP fragment; VTEPs must not fragment (RFC 7348 section 4.3)."},
    {DropReason::ipv6_bad_version, "ipv6_bad_version",
     "The EtherType says IPv6, the version field does not."},
    {DropReason::ipv6_bad_payload_length, "ipv6_bad_payload_length",
     "The IPv6 payload length is larger than the frame."},
    {DropReason::udp_bad_length, "udp_bad_length",
     "The outer UDP length disagrees with the IP length."},
    {DropReason::udp_bad_checksum, "udp_bad_checksum",
     "The outer UDP checksum is present and wrong: damaged on the way."},
    {DropReason::wrong_destination_mac, "wrong_destination_mac",
     "The frame on an underlay port is not addressed to that port's MAC."},
    {DropReason::ethertype_not_handled, "ethertype_not_handled",
     "Not IP at an underlay port, or a pause or PFC frame, which ends at each link."},
    {DropReason::destination_not_local, "destination_not_local",
     "The outer destination IP is no VTEP of this gateway."},
    {DropReason::protocol_not_handled, "protocol_not_handled", "The outer IP protocol is not UDP."},
    {DropReason::udp_port_not_handled, "udp_port_not_handled",
     "The outer UDP destination port belongs to no tunnel."},
    {DropReason::vxlan_bad_flags, "vxlan_bad_flags",
     "The VXLAN header's I flag is not set (RFC 7348 section 5)."},
    {DropReason::unknown_vni, "unknown_vni", "No network has this VNI."},
    {DropReason::unknown_vtep, "unknown_vtep", "The outer source IP is no configured remote VTEP."},
    {DropReason::ecn_ce_on_not_ect, "ecn_ce_on_not_ect",
     "Outer CE on an inner Not-ECT packet: must be dropped (RFC 6040 section 4.2)."},
    {DropReason::source_mac_group, "source_mac_group", "The source MAC is a group address."},
    {DropReason::port_without_network, "port_without_network",
     "The frame entered at a tenant port that belongs to no network."},
    {DropReason::unknown_destination, "unknown_destination",
     "No endpoint has the destination MAC and the network does not flood unknown unicast."},
    {DropReason::no_flood_target, "no_flood_target",
     "The frame is to be flooded and the network has nobody else in it."},
    {DropReason::destination_is_ingress_port, "destination_is_ingress_port",
     "The destination endpoint is behind the port at which the frame entered."},
    {DropReason::split_horizon, "split_horizon",
     "The frame came from a remote VTEP and its destination is behind a remote VTEP."},
    {DropReason::endpoint_target_missing, "endpoint_target_missing",
     "The endpoint's port or VTEP has been removed."},
    {DropReason::next_hop_unresolved, "next_hop_unresolved",
     "The MAC of the next hop towards the remote VTEP is not known."},
    {DropReason::mtu_exceeded, "mtu_exceeded",
     "The frame, with a tunnel header where it gets one, exceeds the outgoing port's MTU."},
    {DropReason::port_without_peer, "port_without_peer",
     "The frame entered at a transit port whose peer is not configured."},
    {DropReason::no_headroom, "no_headroom",
     "The buffer has no room in front of the frame for the tunnel header."},
    {DropReason::no_mbuf, "no_mbuf", "No buffer was free for a copy; raise --mbufs."},
    {DropReason::port_missing, "port_missing", "The outgoing port has been removed."},
    {DropReason::tx_ring_full, "tx_ring_full", "The outgoing port took no more frames."},
    {DropReason::rx_ring_full, "rx_ring_full",
     "The device's receive ring was full; the worker was too slow."},
    {DropReason::rx_no_mbuf, "rx_no_mbuf", "The device found no free buffer; raise --mbufs."},
    {DropReason::rx_device_error, "rx_device_error", "The device reported a damaged frame."},
    {DropReason::tx_device_error, "tx_device_error",
     "The device or kernel refused a frame that it had been handed."},
    {DropReason::kernel_dropped, "kernel_dropped",
     "The kernel's side of the port dropped the frame, usually because its queue was full."},
    {DropReason::rx_fill_empty, "rx_fill_empty",
     "The kernel found no buffer in an xdp port's fill ring: the worker was too slow, or --mbufs "
     "are too few."},
    {DropReason::rx_too_long, "rx_too_long",
     "The frame did not fit a buffer of an xdp port; raise --mbuf-bytes."},
    {DropReason::port_unread, "port_unread",
     "No data plane read the frame's queue at an xdp port: its program dropped the frame "
     "(absent=drop), or left it to the kernel (absent=pass)."},
    {DropReason::ipv6_extension_header, "ipv6_extension_header",
     "The outer IPv6 header is followed by an extension header or is a fragment's; no VTEP sends "
     "either."},
    {DropReason::next_hop_link_down, "next_hop_link_down",
     "No next hop towards the remote VTEP is usable, and the first one's port has no link."},
    {DropReason::punt_queue_full, "punt_queue_full",
     "The frame was for the housekeeper (ARP, neighbour discovery), which is too far behind."},
    {DropReason::large_frame_malformed, "large_frame_malformed",
     "The sender left the frame to be cut into segments (TSO, USO), and it is neither TCP nor UDP "
     "right behind its IP header, or names no useful segment size."},
    {DropReason::unknown_vlan, "unknown_vlan",
     "The frame's VLAN tags are not its underlay port's, or its tenant port maps them to no "
     "network."},
    {DropReason::network_frame_tagged, "network_frame_tagged",
     "The frame has a VLAN tag of its own within its network, and the port where it should leave "
     "maps VLANs: it would end in another one (RFC 7348 section 6.1)."},
    {DropReason::checksum_unfinished, "checksum_unfinished",
     "The sender left the frame's TCP or UDP checksum to a device, which XDP does not pass on; at "
     "the other end of a veth: ethtool -K IFACE tx off."},
    {DropReason::host_policed, "host_policed",
     "The frame is for the host itself, and its class came faster than its rule allows "
     "(weir host show, weir host-rule set)."},
    {DropReason::host_refused, "host_refused",
     "The frame is for the host itself, and a rule drops its class."},
    {DropReason::udp_checksum_missing, "udp_checksum_missing",
     "The outer UDP checksum over IPv6 is zero, and udp_checksum of the VTEP that sent it is full "
     "(RFC 6935)."},
    {DropReason::punt_rate_exceeded, "punt_rate_exceeded",
     "More ARP or neighbour discovery came at the port than a worker hands on: somebody on that "
     "link floods it."},
    {DropReason::own_frame_refused, "own_frame_refused",
     "A question or an answer of Weir's own (ARP, neighbour discovery) that the port did not take; "
     "what gets no answer is asked again."},
    {DropReason::queue_full, "queue_full",
     "As much waited in the traffic class of the outgoing port as its buffer holds (weir queue "
     "show)."},
    {DropReason::marker_dropped, "marker_dropped",
     "The packet was Not-ECT, so it died where the marker would have set CE (not_ect: drop)."},
    {DropReason::hand_over_full, "hand_over_full",
     "The ring to the worker that owns the outgoing port's queue was full: that worker is too "
     "slow."},
}};

constexpr bool drop_reasons_in_order() {
  for (std::size_t i = 0; i < drop_reason_count; ++i) {
    if (drop_reasons[i].reason != static_cast<DropReason>(i)) return false;
  }
  return true;
}
static_assert(drop_reasons_in_order(), "the table is indexed by the value");

constexpr std::string_view name(DropReason reason) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  return index < drop_reason_count ? drop_reasons[index].name : "unknown_reason";
}

// Losses before rx are drop reasons too, but stand outside the accounting identity.
constexpr bool before_rx(DropReason reason) noexcept {
  return (reason >= DropReason::rx_ring_full && reason <= DropReason::port_unread) ||
         reason == DropReason::checksum_unfinished;
}

}  // namespace contract
