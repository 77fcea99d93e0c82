// SPDX-License-Identifier: Apache-2.0
// What the tables hold, in the shape that the packet path reads: the housekeeper translates the
// contract's records into these once, so that no packet pays for it.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/id.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/packet_kind.hpp"
#include "dataplane/packet/udp_tunnel.hpp"
#include "dataplane/table/next_hop_words.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace dp {

struct PortRecord {
  contract::PortRole role;
  std::uint8_t maps_vlans = 0;        // 1: it has VLANs' ports, and `network` is none.
  base::NetworkId network;            // Of a tenant port.
  base::PortId transit_peer;          // Of a transit or host port.
  std::uint16_t mtu;                  // Largest IP packet, bytes; of a VLAN's port less its tags.
  base::MacAddress mac;               // The device's.
  base::PortId twin = base::no_port;  // The host port whose peer this is.

  // VLANs. A VLAN of a tenant port is a port of its own, without a device: its frames enter and
  // leave at its parent with its tags, and have none between.
  std::uint16_t vlan = 0;  // Of an underlay port, or of a VLAN's port its only or outer one.
  std::uint16_t inner_vlan = 0;
  base::PortId parent = base::no_port;                 // Of a VLAN's port.
  base::NetworkId untagged_network{base::no_network};  // Of a port that maps VLANs.
  // Not of this port: bit n, what leaves at port n is looked at for its tags.
  std::uint64_t tagging_ports = 0;
  // Likewise: bit n, what leaves at port n goes through its queue.
  std::uint64_t queueing_ports = 0;

  // Frames of `one` may leave here.
  constexpr bool is_in(base::NetworkId one) const noexcept {
    return network == one || (maps_vlans != 0 && untagged_network == one);
  }
  // With an Ethernet header and two VLAN tags, as net_tap counts: it stops at a larger frame, and
  // all behind that in the burst would be lost with it.
  constexpr std::uint32_t frame_bytes_max() const noexcept {
    return mtu + static_cast<std::uint32_t>(sizeof(EthernetHeader) + 2 * sizeof(VlanTag));
  }
  constexpr bool takes(std::uint32_t frame_bytes) const noexcept {
    return frame_bytes <= frame_bytes_max();
  }
};

struct NetworkRecord {
  std::uint32_t vni;
  bool flood_unknown_unicast;
  std::uint8_t reserved;
  std::uint16_t flood_vtep_count;
  std::uint64_t local_ports;  // Bit n: tenant port n is in this network.
  std::array<base::VtepId, contract::flood_vteps_max> flood_vteps;
};

struct HostRuleRecord {
  bool drops;
  std::array<std::uint8_t, 3> reserved;
  std::uint32_t rate;  // Packets a second.
  std::uint32_t burst;
};

// How fast bytes may leave: each takes time, and a pause may be made up for to some extent.
struct RateRecord {
  std::uint64_t cycles_per_byte;  // TSC cycles, times 2^24; 0: as fast as it goes.
  std::uint64_t burst_cycles;     // TSC cycles' worth of a pause that are made up for.
};
inline constexpr unsigned cycles_per_byte_shift = 24;

// One traffic class of a port.
struct QueueClassRecord {
  RateRecord rate;
  std::uint64_t probability_per_byte;  // Above kmin, times 2^48.
  std::uint32_t kmin;                  // Bytes; without a marker as many as there can never be.
  std::uint32_t kmax;
  std::uint32_t buffer;  // Bytes.
  contract::MarkPlace mark;
  bool drop_not_ect;
  bool mark_control;
  std::uint8_t reserved;
};
inline constexpr unsigned probability_shift = 48;

// The queue of a port, by PortId.
struct QueueRecord {
  RateRecord rate;
  std::array<std::uint8_t, 64> class_of_dscp;
  // By PacketKind; class_by_dscp: as its DSCP says.
  std::array<std::uint8_t, contract::packet_kind_slots> class_of_kind;
  std::uint32_t strict_classes;  // Bit n: class n goes before those that are not strict.
  // Rises, modulo queue_epochs, whenever a DSCP or kind moves to another class, so that no frame
  // overtakes an earlier one that waits in the class it came from.
  std::uint8_t epoch;
  bool is_closing;  // There is no queue any more, but frames may wait.
  std::array<std::uint8_t, 2> reserved;
  std::array<QueueClassRecord, contract::traffic_class_count> classes;
};
inline constexpr std::uint8_t class_by_dscp = 0xff;
inline constexpr unsigned queue_epochs = 16;
static_assert(std::has_unique_object_representations_v<QueueRecord>);

// What encapsulation puts in front of a frame.
enum class OuterForm : std::uint8_t { none, ipv4, ipv4_summed, ipv6, ipv6_summed };

// A way to a remote VTEP: the next hop's word, and the port where it is.
struct VtepPath {
  NextHopPlace place;
  base::PortId port;
  std::uint16_t frame_bytes_max;  // No larger frame fits behind the outer header.
};

// All that encapsulation needs to know about a remote VTEP whose first path is usable: one cache
// line over IPv4, two over IPv6. The destination MAC of a prepared header is 0 where the next hop's
// is resolved: then it stands in the word.
struct alignas(64) VtepRecord {
  contract::VtepKind kind;
  OuterForm form;  // none: local.
  // Outer TOS = (inner TOS & tos_mask) | tos_pinned: 0xff | 0 copies DSCP, 0x03 | dscp<<2 pins it.
  // ECN always comes from the packet.
  std::uint8_t tos_mask;
  std::uint8_t tos_pinned;
  std::uint32_t ip_sum;                                        // constant_sum() of an IPv4 header.
  VtepPath first;                                              // Taken while it is usable.
  std::array<std::uint8_t, udp_tunnel_bytes_max> outer_bytes;  // Prepared; see udp_tunnel.hpp.
  VtepPath second;                                             // Else this one.
  EthernetHeader second_ethernet;                              // In place of the prepared one.
  base::IpAddress address;                                     // The VTEP's own.
  // No padding: the housekeeper compares records as bytes.
  std::array<std::uint8_t, 16> reserved;

  template <class Ip>
  const UdpTunnelHeader<Ip>& outer() const noexcept {
    return *reinterpret_cast<const UdpTunnelHeader<Ip>*>(outer_bytes.data());
  }
};
static_assert(sizeof(VtepRecord) == 128 && std::has_unique_object_representations_v<VtepRecord>);
static_assert(offsetof(VtepRecord, outer_bytes) + sizeof(UdpTunnelHeader<Ipv4Header>) <= 64);

// An endpoint is one number, so that finding it and reading it are one cache line.
struct EndpointValue {
  contract::EndpointPlace place;
  std::uint16_t target;  // PortId or VtepId.

  constexpr std::uint32_t encode() const noexcept {
    return (place == contract::EndpointPlace::vtep ? 0x1'0000u : 0u) | target;
  }
  static constexpr EndpointValue decode(std::uint32_t value) noexcept {
    return {.place = (value & 0x1'0000) != 0 ? contract::EndpointPlace::vtep
                                             : contract::EndpointPlace::port,
            .target = static_cast<std::uint16_t>(value)};
  }
};

// Keys of the exact-match tables; never 0, which marks an empty entry.
constexpr std::uint64_t endpoint_key(base::NetworkId network,
                                     const base::MacAddress& mac) noexcept {
  return (std::uint64_t{network.value} << 48) | mac.to_integer();
}
constexpr std::uint64_t vni_key(std::uint32_t vni) noexcept {
  return (std::uint64_t{1} << 32) | vni;
}
// `inner` is 0 where there is one tag.
constexpr std::uint64_t vlan_key(base::PortId parent, std::uint16_t vlan,
                                 std::uint16_t inner) noexcept {
  return (std::uint64_t{1} << 48) | (std::uint64_t{parent.value} << 32) |
         (std::uint64_t{vlan} << 16) | inner;
}
constexpr std::uint64_t vtep_key(base::Ipv4Address address) noexcept {
  return (std::uint64_t{1} << 32) | address.host();
}

}  // namespace dp
