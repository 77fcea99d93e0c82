// SPDX-License-Identifier: Apache-2.0
// The one description of every field: Boost.Describe knows the members, the tables below know
// what people must be told. To add a field: a member in model.hpp, its word in the
// BOOST_DESCRIBE_STRUCT line, one entry in the table; the compiler asks for what is missing.
//
// Only the few sources that walk over fields include this; everybody else reads fields.hpp.
#pragma once

#include "controlplane/intent/model.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/host_class.hpp"
#include "dataplane/contract/limits.hpp"

#include <boost/describe.hpp>
#include <boost/mp11.hpp>

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

namespace cp {

BOOST_DESCRIBE_ENUM(PortRole, underlay, tenant, transit, host)
BOOST_DESCRIBE_ENUM(VtepKind, local, remote)
BOOST_DESCRIBE_ENUM(UdpChecksum, zero, full)
BOOST_DESCRIBE_ENUM(UnknownUnicast, flood, drop)
BOOST_DESCRIBE_ENUM(NeighbourKeeper, weir, kernel)
BOOST_DESCRIBE_ENUM(HostAction, to_host, drop)
BOOST_DESCRIBE_ENUM(RoceTraffic, data, ack, cnp, cm)
BOOST_DESCRIBE_ENUM(MarkPlace, outer, inner, both)
BOOST_DESCRIBE_ENUM(NotEct, drop, pass)

BOOST_DESCRIBE_STRUCT(Port, (),
                      (name, role, device, network, peer, parent, vlan, inner_vlan, mtu, addresses,
                       neighbours, rx_queues, rx_descriptors, tx_descriptors, rate, burst))
BOOST_DESCRIBE_STRUCT(Vtep, (),
                      (name, kind, address, port, source, next_hop_mac, next_hops, dscp, ttl,
                       udp_checksum))
BOOST_DESCRIBE_STRUCT(Network, (), (name, vni, flood, unknown_unicast))
BOOST_DESCRIBE_STRUCT(Endpoint, (), (network, mac, vtep, port))
BOOST_DESCRIBE_STRUCT(NextHop, (), (name, port, address, mac))
BOOST_DESCRIBE_STRUCT(HostRule, (), (name, action, rate, burst))
BOOST_DESCRIBE_STRUCT(Queue, (),
                      (port, traffic_class, dscp, carries, rate, burst, buffer, kmin, kmax, pmax,
                       mark, not_ect, mark_control))

// What a table says of a field; a member that is left out says nothing.
struct FieldText {
  std::string_view help;
  std::string_view example;
  std::string_view unit = {};
  std::string_view initial = {};
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::optional<ObjectKind> refers_to = {};
  bool required = false;
  bool key = false;
};

template <class T, class M>
struct DescribedField {
  M T::* member;
  FieldText text;
};

template <class T, class M>
constexpr DescribedField<T, M> field(M T::* member, FieldText text) {
  return {member, text};
}

template <class T>
struct Description;

// Descriptors of a ring: what DPDK's drivers take, all of them as powers of two.
inline constexpr std::uint64_t descriptors_min = 64;
inline constexpr std::uint64_t descriptors_max = 32768;
// RFC 791: what every IPv4 host must take; the largest frame that 10,000-byte NICs carry.
inline constexpr std::uint64_t mtu_min = 576;
inline constexpr std::uint64_t mtu_max = 9978;

template <>
struct Description<Port> {
  static constexpr std::string_view help = "Where frames enter and leave: any device of DPDK.";
  static constexpr auto fields = std::tuple{
      field(
          &Port::name,
          {.help = "What the port is called.", .example = "wire0", .required = true, .key = true}),
      field(&Port::role,
            {.help = "Towards the fabric (underlay), towards a host or VM (tenant), "
                     "from fabric to fabric (transit), or an underlay port's twin in this "
                     "gateway's own kernel (host).",
             .example = "underlay",
             .required = true}),
      field(&Port::device,
            {.help = "DPDK device arguments, a PCI address, xdp:INTERFACE, or "
                     "tap:INTERFACE; each port has one that is no VLAN of another (parent).",
             .example = "net_af_packet0,iface=eth1"}),
      field(&Port::network,
            {.help = "The network whose frames a tenant port carries; of one with VLANs, "
                     "that of untagged frames.",
             .example = "blue",
             .refers_to = ObjectKind::network}),
      field(&Port::peer,
            {.help = "The transit port where this transit port's frames leave; of a host "
                     "port, the underlay port whose twin it is.",
             .example = "wire1",
             .refers_to = ObjectKind::port}),
      field(&Port::parent, {.help = "The tenant port whose VLAN this port is, instead of a device.",
                            .example = "host0",
                            .refers_to = ObjectKind::port}),
      field(&Port::vlan,
            {.help = "The tag of all frames of an underlay port; of a VLAN (parent) its "
                     "only or outer tag, which its frames have at the parent.",
             .example = "100",
             .initial = "none: untagged",
             .least = 1,
             .most = contract::vlan_max}),
      field(&Port::inner_vlan, {.help = "The inner tag of a VLAN (parent) that has two, as in IEEE "
                                        "802.1ad.",
                                .example = "7",
                                .initial = "none: one tag",
                                .least = 1,
                                .most = contract::vlan_max}),
      field(&Port::mtu, {.help = "Largest IP packet that may leave here.",
                         .example = "1600",
                         .unit = "bytes",
                         .initial = "the device's; of a host port, its peer's",
                         .least = mtu_min,
                         .most = mtu_max}),
      field(&Port::addresses,
            {.help = "This gateway's own addresses on the link of an underlay or transit port.",
             .example = "[198.18.0.1/31]",
             .initial = "none",
             .most = contract::port_addresses_max}),
      field(&Port::neighbours,
            {.help = "Who asks and answers for neighbours (ARP, ND) on an underlay port's link: "
                     "Weir, or the kernel, which has the interface too and whose table is "
                     "followed.",
             .example = "weir",
             .initial = "kernel for xdp ports, weir for all others"}),
      field(&Port::rx_queues, {.help = "Receive queues, spread over the workers.",
                               .example = "2",
                               .unit = "queues",
                               .initial = "one per worker",
                               .least = 1,
                               .most = contract::worker_count_max}),
      field(&Port::rx_descriptors, {.help = "Size of each receive ring, a power of two.",
                                    .example = "512",
                                    .unit = "frames",
                                    .initial = "the data plane's --rx-descriptors",
                                    .least = descriptors_min,
                                    .most = descriptors_max}),
      field(&Port::tx_descriptors, {.help = "Size of each transmit ring, a power of two.",
                                    .example = "512",
                                    .unit = "frames",
                                    .initial = "the data plane's --tx-descriptors",
                                    .least = descriptors_min,
                                    .most = descriptors_max}),
      field(&Port::rate,
            {.help = "What leaves here at most, of frames from the Ethernet header on; K, M, G "
                     "and T are powers of 1000. What is more waits in the port's queue.",
             .example = "10G",
             .unit = "bits/s",
             .initial = "as much as the device takes",
             .least = contract::queue_rate_min,
             .most = contract::queue_rate_max}),
      field(&Port::burst, {.help = "What may leave at once after a pause.",
                           .example = "128Ki",
                           .unit = "bytes",
                           .initial = "100 us of the rate, but 32Ki..256Ki",
                           .least = contract::queue_burst_min,
                           .most = contract::queue_burst_max}),
  };
};

template <>
struct Description<Vtep> {
  static constexpr std::string_view help =
      "An address where a VXLAN tunnel ends, here or far away.";
  static constexpr auto fields = std::tuple{
      field(&Vtep::name,
            {.help = "What the VTEP is called.", .example = "gw2", .required = true, .key = true}),
      field(&Vtep::kind, {.help = "This gateway's own address (local), or another's (remote).",
                          .example = "remote",
                          .required = true}),
      field(&Vtep::address, {.help = "Its address in the underlay, IPv4 or IPv6.",
                             .example = "198.18.0.2",
                             .required = true}),
      field(&Vtep::port, {.help = "The underlay port where its packets arrive (local) or leave "
                                  "(remote, without next_hops).",
                          .example = "wire0",
                          .initial = "local: every underlay port; remote: where next_hops are, or "
                                     "the port on whose link its address is",
                          .refers_to = ObjectKind::port}),
      field(&Vtep::source,
            {.help = "The local VTEP whose address is the outer source of packets to "
                     "this remote one.",
             .example = "self",
             .initial = "the only local VTEP of its family there",
             .refers_to = ObjectKind::vtep}),
      field(&Vtep::next_hop_mac,
            {.help = "Destination MAC of packets to this remote VTEP, where it is not to be "
                     "resolved: its own, or the router's.",
             .example = "02:00:00:00:ff:02",
             .initial = "that of next_hops or, on the link of a port's addresses, its own: "
                        "resolved"}),
      field(&Vtep::next_hops,
            {.help = "Next hops to this remote VTEP instead of port and next_hop_mac; the first "
                     "one that is usable is taken.",
             .example = "[spine1,spine2]",
             .initial = "next_hop_mac says it, or it is on the link of a port itself",
             .most = contract::vtep_next_hops_max,
             .refers_to = ObjectKind::next_hop}),
      field(&Vtep::dscp,
            {.help = "DSCP of the outer header towards this remote VTEP: the inner one "
                     "(copy) or a constant.",
             .example = "copy",
             .initial = "copy",
             .least = 0,
             .most = 63}),
      field(&Vtep::ttl, {.help = "TTL or hop limit of the outer header towards this remote VTEP.",
                         .example = "64",
                         .unit = "hops",
                         .initial = "64",
                         .least = 1,
                         .most = 255}),
      field(&Vtep::udp_checksum,
            {.help = "UDP checksum of packets to this remote VTEP: none (zero), or over the whole "
                     "payload (full), which costs a look at every byte. Over IPv6, full also "
                     "refuses packets from it that have none (RFC 6935).",
             .example = "full",
             .initial = "zero"}),
  };
};

template <>
struct Description<Network> {
  static constexpr std::string_view help = "One tenant segment: an L2 bridge domain with a VNI.";
  static constexpr auto fields = std::tuple{
      field(&Network::name, {.help = "What the network is called.",
                             .example = "blue",
                             .required = true,
                             .key = true}),
      field(&Network::vni, {.help = "VXLAN network identifier; no two networks share one.",
                            .example = "100",
                            .least = 1,
                            .most = contract::vni_max,
                            .required = true}),
      field(&Network::flood,
            {.help = "Remote VTEPs that get broadcast, multicast and flooded frames.",
             .example = "[gw2]",
             .initial = "none",
             .most = contract::flood_vteps_max,
             .refers_to = ObjectKind::vtep}),
      field(&Network::unknown_unicast, {.help = "What happens to frames for a MAC that no endpoint "
                                                "has.",
                                        .example = "flood",
                                        .initial = "flood"}),
  };
};

template <>
struct Description<Endpoint> {
  static constexpr std::string_view help =
      "A tenant's MAC and where it is: behind a local port or a remote VTEP.";
  static constexpr auto fields = std::tuple{
      field(&Endpoint::network, {.help = "The network that the MAC belongs to.",
                                 .example = "blue",
                                 .refers_to = ObjectKind::network,
                                 .required = true,
                                 .key = true}),
      field(&Endpoint::mac, {.help = "The MAC address; unique in its network.",
                             .example = "02:00:00:00:0b:01",
                             .required = true,
                             .key = true}),
      field(&Endpoint::vtep, {.help = "The remote VTEP behind which it is; this or a port.",
                              .example = "gw2",
                              .refers_to = ObjectKind::vtep}),
      field(&Endpoint::port, {.help = "The tenant port behind which it is; this or a VTEP.",
                              .example = "host0",
                              .refers_to = ObjectKind::port}),
  };
};

template <>
struct Description<NextHop> {
  static constexpr std::string_view help =
      "A router or gateway on the link of a port, to which packets for remote VTEPs are sent.";
  static constexpr auto fields = std::tuple{
      field(&NextHop::name, {.help = "What the next hop is called.",
                             .example = "spine1",
                             .required = true,
                             .key = true}),
      field(&NextHop::port, {.help = "The underlay port on whose link it is.",
                             .example = "wire0",
                             .refers_to = ObjectKind::port,
                             .required = true}),
      field(&NextHop::address,
            {.help = "Its address, whose MAC is resolved; a link-local IPv6 one serves VTEPs of "
                     "both families. This or mac.",
             .example = "198.18.0.0"}),
      field(&NextHop::mac, {.help = "Its MAC, where that is not to be resolved. This or address.",
                            .example = "02:00:00:00:ff:02"}),
  };
};

template <>
struct Description<HostRule> {
  static constexpr std::string_view help =
      "What of one class of traffic for this host itself passes a port that has a twin.";
  static constexpr auto fields = std::tuple{
      field(&HostRule::name, {.help = "The class: neighbour, lldp, lacp, bfd, bgp, ssh, icmp, "
                                      "fragment or other.",
                              .example = "icmp",
                              .required = true,
                              .key = true}),
      field(&HostRule::action, {.help = "Whether the host gets such frames, or none of them.",
                                .example = "drop",
                                .initial = "to_host"}),
      field(&HostRule::rate, {.help = "As many a second each worker lets through from each port.",
                              .example = "1000",
                              .unit = "packets/s",
                              .initial = "the class's",
                              .least = 1,
                              .most = contract::host_rate_max}),
      field(&HostRule::burst, {.help = "As many at once.",
                               .example = "200",
                               .unit = "packets",
                               .initial = "the class's",
                               .least = 1,
                               .most = contract::host_burst_max}),
  };
};

template <>
struct Description<Queue> {
  static constexpr std::string_view help =
      "One traffic class of a port: which packets wait there, how fast they leave, and which get "
      "CE "
      "(DCQCN's marker). A port with a rate or a queue has all eight classes.";
  static constexpr auto fields = std::tuple{
      field(&Queue::port, {.help = "The port where it is; one with a device, and no host port.",
                           .example = "wire0",
                           .refers_to = ObjectKind::port,
                           .required = true,
                           .key = true}),
      field(&Queue::traffic_class, {.help = "Which of the port's classes it is.",
                                    .example = "3",
                                    .least = 0,
                                    .most = contract::traffic_class_count - 1,
                                    .required = true,
                                    .key = true}),
      field(&Queue::dscp, {.help = "Packets of these DSCPs; those of no class are of class 0.",
                           .example = "[26]",
                           .initial = "none",
                           .least = 0,
                           .most = 63}),
      field(&Queue::carries,
            {.help =
                 "RoCEv2 packets, whatever their DSCP: ack with NAK and RNR NAK, cnp, cm "
                 "(connection management), data all others. The class of cnp goes before all. Keep "
                 "ack with data where applications READ: a QP's responses share one sequence.",
             .example = "[data]",
             .initial = "none; cnp is in class 6 where no queue carries it"}),
      field(&Queue::rate, {.help = "What leaves this class at most.",
                           .example = "5G",
                           .unit = "bits/s",
                           .initial = "as much as the port's",
                           .least = contract::queue_rate_min,
                           .most = contract::queue_rate_max}),
      field(&Queue::burst, {.help = "What may leave this class at once after a pause.",
                            .example = "128Ki",
                            .unit = "bytes",
                            .initial = "100 us of the rate, but 32Ki..256Ki",
                            .least = contract::queue_burst_min,
                            .most = contract::queue_burst_max}),
      field(&Queue::buffer,
            {.help = "What may wait in this class: K and M are powers of 1000, Ki and Mi of 1024.",
             .example = "4M",
             .unit = "bytes",
             .initial = "1Mi",
             .least = contract::queue_buffer_min,
             .most = contract::queue_buffer_max}),
      field(&Queue::kmin, {.help = "The marker's lower end: nothing is marked while no more waits.",
                           .example = "500K",
                           .unit = "bytes",
                           .initial = "no marker",
                           .least = 0,
                           .most = contract::queue_buffer_max}),
      field(&Queue::kmax, {.help = "The marker's upper end: all is marked while more waits.",
                           .example = "2M",
                           .unit = "bytes",
                           .initial = "no marker",
                           .least = 1,
                           .most = contract::queue_buffer_max}),
      field(&Queue::pmax,
            {.help = "The share that is marked at kmax; from kmin on it rises to that.",
             .example = "5%",
             .initial = "none where kmin is kmax",
             .least = 0,
             .most = contract::queue_pmax_max}),
      field(&Queue::mark,
            {.help = "Which IP header of a tunnel's packet gets CE: inner or both for a "
                     "remote VTEP that does not carry it inwards (RFC 6040).",
             .example = "outer",
             .initial = "outer"}),
      field(&Queue::not_ect, {.help = "What happens to a Not-ECT packet where an ECT one would be "
                                      "marked: it dies, or passes and is counted.",
                              .example = "pass",
                              .initial = "drop"}),
      field(&Queue::mark_control,
            {.help = "Whether ACK, CNP and CM are marked like data, or dropped "
                     "like data; else they pass and are counted.",
             .example = "true",
             .initial = "false"}),
  };
};

template <class T>
using Members = boost::describe::describe_members<T, boost::describe::mod_any_access>;

template <class T>
inline constexpr std::size_t field_count = std::tuple_size_v<decltype(Description<T>::fields)>;

// True where table and BOOST_DESCRIBE_STRUCT tell of the same members in the same order.
template <class T, std::size_t... I>
constexpr bool table_fits(std::index_sequence<I...>) {
  return ((std::get<I>(Description<T>::fields).member ==
           boost::mp11::mp_at_c<Members<T>, I>::pointer) &&
          ...);
}

template <class T>
constexpr bool described() {
  static_assert(boost::mp11::mp_size<Members<T>>::value == field_count<T>,
                "each described member has one entry in the table");
  return table_fits<T>(std::make_index_sequence<field_count<T>>{});
}
static_assert(described<Port>() && described<Vtep>() && described<Network>() &&
                  described<Endpoint>() && described<NextHop>() && described<HostRule>() &&
                  described<Queue>(),
              "the table's entries stand in the order of the members");

template <class T, std::size_t I>
constexpr std::string_view field_name() {
  return boost::mp11::mp_at_c<Members<T>, I>::name;
}

// Calls f.operator()<I>(name, member pointer, text) for each field in order.
template <class T, class F>
void for_each_field(F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (f.template operator()<I>(field_name<T, I>(), std::get<I>(Description<T>::fields).member,
                              std::get<I>(Description<T>::fields).text),
     ...);
  }(std::make_index_sequence<field_count<T>>{});
}

// field_count<T> where T has no such field.
template <class T>
std::size_t field_index(std::string_view name) {
  std::size_t result = field_count<T>;
  for_each_field<T>([&]<std::size_t I>(std::string_view field_name, auto, const FieldText&) {
    if (field_name == name) result = I;
  });
  return result;
}

}  // namespace cp
