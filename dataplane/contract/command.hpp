// SPDX-License-Identifier: Apache-2.0
// Control plane → data plane: one struct per verb.
//
// hello first. Then transactions: begin, any number of frames of records, commit. Nothing of a
// transaction is seen by a packet before its commit, and all of it after; a refused record or
// commit leaves everything as it was (the control plane then sends abort). Outside transactions:
// hello, trace_add, trace_remove. One controller is connected at a time.
//
// Indices (PortId, NetworkId, VtepId, NextHopId) are chosen by the control plane, which keeps the
// names. All fields are little-endian host integers except addresses, which lie as on the wire.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/id.hpp"
#include "dataplane/contract/frame.hpp"
#include "dataplane/contract/host_class.hpp"
#include "dataplane/contract/limits.hpp"

#include <array>
#include <cstdint>

namespace contract {

enum class Verb : std::uint16_t {
  hello = 1,
  begin = 2,
  commit = 3,
  abort = 4,

  port_add = 10,
  port_remove = 11,
  port_set = 12,
  network_set = 20,
  network_remove = 21,
  vtep_set = 30,
  vtep_remove = 31,
  endpoint_set = 40,
  endpoint_remove = 41,
  next_hop_set = 50,
  next_hop_remove = 51,

  trace_add = 60,
  trace_remove = 61,

  host_rule_set = 70,
  host_rule_remove = 71,

  queue_set = 80,
  queue_remove = 81,
};

struct Hello {
  std::uint16_t version_min;  // The range of contract versions that the sender can speak.
  std::uint16_t version_max;
  std::uint32_t pid;
  std::uint64_t features;  // Bits of what cannot be ignored; none exist in version 1.
  Text<name_bytes> program;
  Text<name_bytes> release;
};

struct Begin {
  // Of these tables everything that is not set again in this transaction goes at its commit: how a
  // control plane brings an unknown state to a known one. A TableSet (digest.hpp), for a data plane
  // with feature_replace_tables, or one of the two below.
  std::uint32_t replace;
};

inline constexpr std::uint32_t replace_nothing = 0;
inline constexpr std::uint32_t replace_all = 1;  // What every release knows.

struct Commit {
  std::uint32_t reserved;
};

struct Abort {
  std::uint32_t reserved;
};

// Creates a device; it is started, but carries nothing until a port_set of the same commit.
struct PortAdd {
  base::PortId port;
  std::uint16_t rx_queues;       // 0: one per worker.
  std::uint16_t rx_descriptors;  // Per queue; 0: the data plane's default.
  std::uint16_t tx_descriptors;
  Text<name_bytes> name;  // As the operator calls it.
  // DPDK devargs: "net_tap0,iface=host0" or a PCI address. Empty: a VLAN of another port, which
  // its port_set names.
  Text<device_bytes> device;
};

struct PortRemove {
  base::PortId port;
};

enum class PortRole : std::uint8_t {
  none = 0,      // Frames are not read.
  underlay = 1,  // Towards the fabric: pipeline wire_to_host.
  tenant = 2,    // Towards a host or VM: pipeline host_to_wire.
  transit = 3,   // Underlay only, frames leave at the peer port: pipeline transit.
  host = 4,      // The kernel's twin of an underlay port, its peer: pipeline from_host.
};
inline constexpr std::size_t port_role_count = 5;

// Who asks and answers for neighbours (ARP, neighbour discovery) on a port's link.
enum class NeighbourKeeper : std::uint8_t {
  by_device = 0,  // The kernel where it shares the interface and keeps it (xdp), else Weir.
  weir = 1,
  kernel = 2,  // Its table is followed; it must have the interface.
};

// An address of Weir's own at a port, and how many of its bits the port's link shares.
struct PortAddress {
  base::IpAddress address;
  std::uint8_t prefix_length;  // 1..32 of IPv4, 1..128 of IPv6; 0: no address here.
  std::uint8_t reserved;
};

struct PortSet {
  base::PortId port;
  PortRole role;
  NeighbourKeeper neighbours;  // Of an underlay port.
  base::NetworkId network;     // Of a tenant port; 0: none yet.
  base::PortId transit_peer;   // Of a transit or host port; no_port: none yet.
  std::uint16_t mtu;           // Largest IP packet that may leave here, bytes; 0: the device's.
  // 1..4094; 0: none. Of an underlay port: all its frames have this tag (IEEE 802.1Q). Where
  // `parent` is given: the only tag of the VLAN's frames, or their outer one.
  std::uint16_t vlan;
  std::array<PortAddress, port_addresses_max> addresses;  // The first that are given.
  std::uint16_t parent;      // PortId + 1 of the tenant port whose VLAN this is; 0: none.
  std::uint16_t inner_vlan;  // 1..4094: two tags, as in IEEE 802.1ad; 0: one.
  // What leaves here at most, bits of frames a second (FCS, preamble and gap not counted); 0: as
  // much as the device takes.
  std::uint64_t rate;
  std::uint32_t burst;  // Bytes that may leave at once after a pause; 0: burst_default(rate).
  std::uint32_t reserved;
};

inline constexpr std::uint16_t vlan_max = 4094;  // 4095 is reserved.

struct NetworkSet {
  base::NetworkId network;
  std::uint16_t flood_vtep_count;
  std::uint32_t vni;
  // 1: frames to a unicast MAC that no endpoint has are flooded like broadcast; 0: dropped.
  std::uint8_t flood_unknown_unicast;
  std::array<std::uint8_t, 3> reserved;
  std::array<base::VtepId, flood_vteps_max> flood_vteps;  // Remote ones; the rest is 0.
};

struct NetworkRemove {
  base::NetworkId network;
};

enum class VtepKind : std::uint8_t { local = 1, remote = 2 };
enum class DscpMode : std::uint8_t {
  copy = 0,  // Outer DSCP is the inner one (uniform model, RFC 2983).
  pin = 1,   // Outer DSCP is a constant (pipe model).
};

// Of the outer UDP header.
enum class UdpChecksum : std::uint8_t {
  zero = 0,  // None: RFC 7348 §4.1; over IPv6 RFC 6935 §5.
  full = 1,  // Over the whole payload.
};

// A router or gateway on a port's link: exactly one of MAC and address is given, the other all
// zero.
struct NextHopSet {
  base::NextHopId next_hop;
  base::PortId port;        // An underlay port.
  base::MacAddress mac;     // Static.
  base::IpAddress address;  // Its MAC is resolved by ARP or neighbour discovery.
};

struct NextHopRemove {
  base::NextHopId next_hop;
};

struct VtepSet {
  base::VtepId vtep;
  VtepKind kind;
  DscpMode dscp_mode;   // Of a remote VTEP, as the next four fields.
  std::uint8_t dscp;    // 0..63, where pinned.
  std::uint8_t ttl;     // Or hop limit, of the outer header; 0: 64.
  base::VtepId source;  // The local VTEP whose address is the outer source.
  // Local: where its packets arrive; no_port: at every underlay port. Remote: where they leave;
  // no_port: where its next hops are.
  base::PortId port;
  base::MacAddress next_hop_mac;  // All zero: not resolved.
  base::IpAddress address;        // Of the family of its source.
  UdpChecksum udp_checksum;       // Of a remote VTEP.
  std::uint8_t reserved;
  // Of a remote VTEP instead of `port` and `next_hop_mac`; no_next_hop: none. Frames take the first
  // that is usable: its MAC is known, its port's link is up.
  std::array<base::NextHopId, vtep_next_hops_max> next_hops;
};

struct VtepRemove {
  base::VtepId vtep;
};

enum class EndpointPlace : std::uint8_t { port = 1, vtep = 2 };

struct EndpointSet {
  base::NetworkId network;
  base::MacAddress mac;
  EndpointPlace place;
  std::uint8_t reserved;
  std::uint16_t target;  // A PortId or a VtepId, as `place` says.
};

struct EndpointRemove {
  base::NetworkId network;
  base::MacAddress mac;
};

enum class HostAction : std::uint8_t {
  to_host = 0,  // As many as rate and burst allow.
  drop = 1,
};

// For all ports that have a twin. A class without a rule goes by host_classes.
struct HostRuleSet {
  HostClass host_class;
  HostAction action;
  std::uint16_t reserved;
  std::uint32_t rate;   // Packets a second that each worker lets through from each port, from 1.
  std::uint32_t burst;  // As many at once, from 1.
};

struct HostRuleRemove {
  HostClass host_class;
};

// What a traffic class takes whatever its DSCP; bits of QueueSet::carries.
enum class RoceTraffic : std::uint8_t {
  data = 1 << 0,  // All RoCE packets that are none of the following.
  ack = 1 << 1,   // ACK, NAK and RNR NAK.
  cnp = 1 << 2,   // Its class goes before all others.
  cm = 1 << 3,    // Connection management: QP 1.
};

// Which IP header a marker sets CE in. Without a tunnel there is one, whatever is asked for.
enum class MarkPlace : std::uint8_t {
  outer = 0,
  inner = 1,  // For a remote VTEP that does not propagate ECN (RFC 6040 section 4.3).
  both = 2,
};

// One traffic class of a port. A port with a rate or any such record has all eight; those that no
// record names have queue_buffer_default and no rate, no marker and no DSCP.
struct QueueSet {
  base::PortId port;           // With a device of its own.
  std::uint8_t traffic_class;  // 0..7.
  MarkPlace mark;
  std::uint8_t carries;  // Bits of RoceTraffic. CNPs that no class carries go to cnp_class.
  std::uint8_t
      drop_not_ect;  // 1: a Not-ECT packet dies where an ECT one would be marked; 0: passes.
  std::uint8_t mark_control;  // 1: ACK, CNP and CM are marked, or dropped, like data; 0: they pass.
  std::uint8_t reserved;
  std::uint64_t dscp;   // Bit n: packets of DSCP n, in one class at most. The rest goes to class 0.
  std::uint64_t rate;   // As in PortSet.
  std::uint32_t burst;  // As in PortSet.
  std::uint32_t buffer;  // Bytes that may wait; 0: queue_buffer_default.
  // The marker (DCQCN, SIGCOMM 2015 section 3.1), by bytes in the class as a packet leaves it, that
  // packet included: never up to kmin, always above kmax, between them rising from 0 to pmax.
  std::uint32_t kmin;  // Up to kmax.
  std::uint32_t kmax;  // Up to the buffer; 0: no marker.
  std::uint32_t pmax;  // Parts of a million, up to 1,000,000.
  std::uint32_t reserved_2;
};

struct QueueRemove {
  base::PortId port;
  std::uint8_t traffic_class;
  std::uint8_t reserved;
};

inline constexpr std::uint64_t queue_rate_min = 1'000'000;  // Bits a second.
inline constexpr std::uint64_t queue_rate_max = 1'000'000'000'000;
inline constexpr std::uint32_t queue_burst_min = 9'216;  // One jumbo frame.
inline constexpr std::uint32_t queue_burst_max = 16 * 1024 * 1024;
inline constexpr std::uint32_t queue_buffer_min = 16 * 1024;
inline constexpr std::uint32_t queue_buffer_max = 64 * 1024 * 1024;
inline constexpr std::uint32_t queue_buffer_default = 1024 * 1024;
inline constexpr std::uint32_t queue_pmax_max = 1'000'000;
// Of CNPs that no class carries: what ConnectX and SONiC use.
inline constexpr std::uint8_t cnp_class = 6;

// 100 us of the rate, but no less than a few jumbo frames, which the kernel's sleep needs, and no
// more than a switch would take without a queue.
constexpr std::uint32_t burst_default(std::uint64_t rate) noexcept {
  const std::uint64_t bytes = rate / 8 / 10'000;
  if (bytes < 32 * 1024) return 32 * 1024;
  return bytes > 256 * 1024 ? 256 * 1024 : static_cast<std::uint32_t>(bytes);
}

// Which frames a trace wants: every field whose bit is set in `fields` must be equal.
enum class TraceField : std::uint16_t {
  port = 1 << 0,
  network = 1 << 1,
  source_mac = 1 << 2,
  destination_mac = 1 << 3,
  source_ip = 1 << 4,
  destination_ip = 1 << 5,
  destination_qp = 1 << 6,
  kind = 1 << 7,
  ecn = 1 << 8,
  reason = 1 << 9,    // Only frames dropped for this reason.
  dropped = 1 << 10,  // Only frames that were dropped, whatever for.
};

struct TraceAdd {
  std::uint32_t trace;   // Chosen by the control plane.
  std::uint32_t count;   // Frames wanted, 1..trace_count_max.
  std::uint16_t fields;  // Bits of TraceField; 0: every frame.
  base::PortId port;
  base::NetworkId network;
  std::uint8_t kind;  // A PacketKind.
  std::uint8_t ecn;   // An Ecn, of the frame as it entered (inner header in a tunnel).
  std::uint32_t destination_qp;
  std::uint8_t reason;  // A DropReason.
  std::array<std::uint8_t, 3> reserved;
  base::MacAddress source_mac;
  base::MacAddress destination_mac;
  base::IpAddress source_ip;
  base::IpAddress destination_ip;
};

struct TraceRemove {
  std::uint32_t trace;  // 0: all.
};

inline constexpr std::uint32_t trace_count_max = 1000;

static_assert(Record<Hello> && Record<Begin> && Record<Commit> && Record<Abort>);
static_assert(Record<PortAdd> && Record<PortRemove> && Record<PortSet>);
static_assert(Record<NetworkSet> && Record<NetworkRemove>);
static_assert(Record<VtepSet> && Record<VtepRemove>);
static_assert(Record<NextHopSet> && Record<NextHopRemove>);
static_assert(Record<EndpointSet> && Record<EndpointRemove>);
static_assert(Record<HostRuleSet> && Record<HostRuleRemove>);
static_assert(Record<QueueSet> && Record<QueueRemove>);
static_assert(Record<TraceAdd> && Record<TraceRemove>);

// Golden sizes: a change here is a change of the contract (README.md says how).
static_assert(sizeof(Hello) == 80 && sizeof(PortAdd) == 296 && sizeof(PortSet) == 176);
static_assert(sizeof(NetworkSet) == 268 && sizeof(VtepSet) == 38 && sizeof(EndpointSet) == 12);
static_assert(sizeof(NextHopSet) == 26 && sizeof(QueueSet) == 48);
static_assert(sizeof(TraceAdd) == 68 && sizeof(HostRuleSet) == 12);

}  // namespace contract
