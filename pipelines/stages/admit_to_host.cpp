// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/admit_to_host.hpp"

#include "dataplane/packet/headers.hpp"

#include <rte_cycles.h>

#include <algorithm>

namespace dp {

using contract::HostClass;

namespace {

// The first bytes behind TCP's and UDP's.
struct Ports {
  be16 source;
  be16 destination;
};

constexpr std::uint16_t port_ssh = 22;
constexpr std::uint16_t port_bgp = 179;
// RFC 5881 §4 (control, echo), RFC 5883 §5 (multihop), RFC 7130 §2.2 (link aggregates).
constexpr std::array<std::uint16_t, 4> ports_bfd{3784, 3785, 4784, 6784};
// RFC 4861 §4: router and neighbour solicitations and advertisements, redirects.
constexpr std::uint8_t nd_first = 133;
constexpr std::uint8_t nd_last = 137;

// The EtherType behind up to two VLAN tags, as parse_frame looked at it.
std::uint16_t ethertype_of(Packet packet) noexcept {
  be16 type = packet.header<EthernetHeader>(0).type;
  std::uint16_t next = sizeof(EthernetHeader);
  for (int tags = 0; tags < 2; ++tags) {
    if (type != be16(ethertype::vlan) && type != be16(ethertype::vlan_service)) break;
    type = packet.header<VlanTag>(next).type;
    next = static_cast<std::uint16_t>(next + sizeof(VlanTag));
  }
  return type.host();
}

HostClass class_by_ethertype(Packet packet) noexcept {
  switch (ethertype_of(packet)) {
    case ethertype::arp: return HostClass::neighbour;
    case ethertype::lldp: return HostClass::lldp;
    case ethertype::slow_protocols: return HostClass::lacp;
    default: return HostClass::other;
  }
}

// What follows the IP header begins with a T that can be read.
template <class T>
bool has(Packet packet) noexcept {
  const PacketMeta& meta = packet.meta();
  return meta.l4_length >= sizeof(T) && meta.l4 + sizeof(T) <= packet.contiguous();
}

HostClass class_by_tcp_port(Ports ports) noexcept {
  const auto either = [&](std::uint16_t port) {
    return ports.source == be16(port) || ports.destination == be16(port);
  };
  if (either(port_bgp)) return HostClass::bgp;
  if (either(port_ssh)) return HostClass::ssh;
  return HostClass::other;
}

HostClass class_by_udp_port(Ports ports) noexcept {
  return std::ranges::find(ports_bfd, ports.destination.host()) != ports_bfd.end()
             ? HostClass::bfd
             : HostClass::other;
}

}  // namespace

HostClass host_class_of(Packet packet) noexcept {
  const PacketMeta& meta = packet.meta();
  if (meta.ip_version == 0) return class_by_ethertype(packet);
  switch (meta.l4_protocol) {
    case ip_protocol::none:  // parse_frame's word for a fragment.
      return meta.ip_version == 4 ? HostClass::fragment : HostClass::other;
    case ip_protocol::ipv6_fragment: return HostClass::fragment;
    case ip_protocol::icmp: return HostClass::icmp;
    case ip_protocol::icmp6: {
      if (!has<std::uint8_t>(packet)) return HostClass::icmp;
      const std::uint8_t type = packet.data()[meta.l4];
      return type >= nd_first && type <= nd_last ? HostClass::neighbour : HostClass::icmp;
    }
    case ip_protocol::tcp:
      return has<Ports>(packet) ? class_by_tcp_port(packet.header<Ports>(meta.l4))
                                : HostClass::other;
    case ip_protocol::udp:
      return has<Ports>(packet) ? class_by_udp_port(packet.header<Ports>(meta.l4))
                                : HostClass::other;
    default: return HostClass::other;
  }
}

AdmitToHost::AdmitToHost(const Environment& environment) noexcept
    : environment_(environment), cycles_per_second_(rte_get_tsc_hz()) {}

AdmitToHost::Limit AdmitToHost::limit_of(HostClass host_class) const noexcept {
  const auto index = static_cast<std::uint32_t>(host_class);
  HostRuleRecord rule{.drops = false,
                      .reserved = {},
                      .rate = contract::host_classes[index].rate,
                      .burst = contract::host_classes[index].burst};
  if (const HostRuleRecord* record =
          environment_.tables.host_rules.find(index, environment_.generation)) {
    rule = *record;
  }
  return {.drops = rule.drops, .rate = RateLimit(rule.rate, rule.burst, cycles_per_second_)};
}

// A bucket whose rule stays the same stays as it is: a commit must not fill it.
void AdmitToHost::learn_limits() noexcept {
  for (std::size_t i = 0; i < limits_.size(); ++i) {
    const Limit limit = limit_of(static_cast<HostClass>(i));
    if (limit == limits_[i]) continue;
    limits_[i] = limit;
    for (auto& of_port : full_at_) of_port[i] = 0;
  }
  generation_ = environment_.generation;
}

Verdict AdmitToHost::handle(Packet packet) noexcept {
  if (generation_ != environment_.generation) learn_limits();
  const PortId in_port = packet.meta().in_port;
  const auto index = static_cast<std::size_t>(host_class_of(packet));
  contract::PortCounters& counters = environment_.counters.ports[in_port.value];
  const Limit& limit = limits_[index];
  if (limit.drops) {
    contract::add(counters.host_refused[index], 1);
    return DropReason::host_refused;
  }
  if (!limit.rate.take(full_at_[in_port.value][index], environment_.turn_cycles)) {
    contract::add(counters.host_policed[index], 1);
    return DropReason::host_policed;
  }
  const PortId twin = environment_.in_port->twin;
  const PortRecord* record = environment_.tables.ports.find(twin.value, environment_.generation);
  if (record == nullptr) return DropReason::port_missing;
  if (!record->takes(packet.length())) return DropReason::mtu_exceeded;
  packet.meta().out_port = twin;
  contract::add(counters.host_passed[index], 1);
  return keep;
}

}  // namespace dp
