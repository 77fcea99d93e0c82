// SPDX-License-Identifier: Apache-2.0
#include "controlplane/plan/records.hpp"

#include "controlplane/intent/host_class.hpp"
#include "controlplane/intent/merge.hpp"
#include "controlplane/intent/validate.hpp"
#include "dataplane/base/check.hpp"

#include <algorithm>

namespace cp {
namespace {

contract::PortRole role_of(PortRole role) noexcept {
  switch (role) {
    case PortRole::underlay: return contract::PortRole::underlay;
    case PortRole::tenant: return contract::PortRole::tenant;
    case PortRole::transit: return contract::PortRole::transit;
    case PortRole::host: return contract::PortRole::host;
  }
  __builtin_unreachable();
}

contract::NeighbourKeeper keeper_of(const std::optional<NeighbourKeeper>& keeper) noexcept {
  if (!keeper) return contract::NeighbourKeeper::by_device;
  switch (*keeper) {
    case NeighbourKeeper::weir: return contract::NeighbourKeeper::weir;
    case NeighbourKeeper::kernel: return contract::NeighbourKeeper::kernel;
  }
  __builtin_unreachable();
}

contract::UdpChecksum checksum_of(UdpChecksum checksum) noexcept {
  switch (checksum) {
    case UdpChecksum::zero: return contract::UdpChecksum::zero;
    case UdpChecksum::full: return contract::UdpChecksum::full;
  }
  __builtin_unreachable();
}

contract::MarkPlace place_of(MarkPlace place) noexcept {
  switch (place) {
    case MarkPlace::outer: return contract::MarkPlace::outer;
    case MarkPlace::inner: return contract::MarkPlace::inner;
    case MarkPlace::both: return contract::MarkPlace::both;
  }
  __builtin_unreachable();
}

std::uint8_t bit_of(RoceTraffic traffic) noexcept {
  const auto bit = [traffic] {
    switch (traffic) {
      case RoceTraffic::data: return contract::RoceTraffic::data;
      case RoceTraffic::ack: return contract::RoceTraffic::ack;
      case RoceTraffic::cnp: return contract::RoceTraffic::cnp;
      case RoceTraffic::cm: return contract::RoceTraffic::cm;
    }
    __builtin_unreachable();
  }();
  return static_cast<std::uint8_t>(bit);
}

// Left out: 0, which is the data plane's own.
std::uint64_t bits_of(const std::optional<Rate>& rate) noexcept {
  return rate ? rate->bits_per_second : 0;
}
std::uint32_t bytes_of(const std::optional<ByteCount>& count) noexcept {
  return count ? static_cast<std::uint32_t>(count->bytes) : 0;
}

// RFC 791 gives none; 64 is what RFC 1700 recommends and hosts send.
constexpr std::uint8_t ttl_default = 64;

}  // namespace

Records::Records(const Intent& intent, const Allocation& allocation)
    : intent_(intent), allocation_(allocation) {
  for (const Vtep& vtep : intent.vteps) {
    if (vtep.kind == VtepKind::local) local_vteps_.push_back(&vtep);
  }
}

contract::PortAdd Records::port_add(const Port& port) const {
  return {.port = allocation_.port(port.name.view()),
          .rx_queues = port.rx_queues.value_or(0),
          .rx_descriptors = port.rx_descriptors.value_or(0),
          .tx_descriptors = port.tx_descriptors.value_or(0),
          .name = contract::to_text<contract::name_bytes>(port.name.view()),
          .device = contract::to_text<contract::device_bytes>(port.device)};
}

contract::PortSet Records::port_set(const Port& port) const {
  contract::PortSet record{.port = allocation_.port(port.name.view()),
                           .role = role_of(port.role),
                           .neighbours = keeper_of(port.neighbours),
                           .network = allocation_.network(port.network.view()),
                           .transit_peer = allocation_.port(port.peer.view()),
                           .mtu = mtu_of(port),
                           .vlan = port.vlan.value_or(0),
                           .addresses = {},
                           .parent = 0,
                           .inner_vlan = port.inner_vlan.value_or(0),
                           .rate = bits_of(port.rate),
                           .burst = bytes_of(port.burst),
                           .reserved = 0};
  if (!port.parent.empty()) {
    record.parent = static_cast<std::uint16_t>(allocation_.port(port.parent.view()).value + 1);
  }
  CHECK(port.addresses.size() <= record.addresses.size());  // validate() saw to it.
  for (std::size_t i = 0; i < port.addresses.size(); ++i) {
    record.addresses[i] = {.address = port.addresses[i].address,
                           .prefix_length = port.addresses[i].prefix_length,
                           .reserved = 0};
  }
  return record;
}

contract::NextHopSet Records::next_hop_set(const NextHop& next_hop) const {
  return {.next_hop = allocation_.next_hop(next_hop.name.view()),
          .port = allocation_.port(next_hop.port.view()),
          .mac = next_hop.mac.value_or(base::MacAddress{}),
          .address = next_hop.address.value_or(base::IpAddress{})};
}

contract::NextHopSet Records::next_hop_set(const Vtep& vtep) const {
  const std::vector<const Port*> links = links_of(intent_, vtep);
  CHECK(links.size() == 1);  // validate() saw to it.
  return {.next_hop = allocation_.next_hop_of(vtep),
          .port = allocation_.port(links.front()->name.view()),
          .mac = {},
          .address = vtep.address};
}

// The source where none is named.
base::VtepId Records::source_of(const Vtep& remote) const {
  std::vector<Name> ports;
  if (is_own_next_hop(remote)) {
    ports.push_back(links_of(intent_, remote).front()->name);
  } else if (remote.next_hops.empty()) {
    ports.push_back(remote.port);
  }
  for (const Name& name : remote.next_hops) {
    ports.push_back(find_next_hop(intent_, name.view())->port);
  }
  const auto local = std::find_if(local_vteps_.begin(), local_vteps_.end(), [&](const Vtep* vtep) {
    return may_be_source(remote, *vtep, ports);
  });
  CHECK(local != local_vteps_.end());  // validate() saw to it.
  return allocation_.vtep((*local)->name.view());
}

// What the kernel sends by a twin leaves at its peer.
std::uint16_t Records::mtu_of(const Port& port) const {
  if (port.mtu || port.role != PortRole::host) return port.mtu.value_or(0);
  const Port* peer = find_port(intent_, port.peer.view());
  CHECK(peer != nullptr);  // validate() saw to it.
  return peer->mtu.value_or(0);
}

contract::VtepSet Records::vtep_set(const Vtep& vtep) const {
  contract::VtepSet record{};
  record.vtep = allocation_.vtep(vtep.name.view());
  record.port = allocation_.port(vtep.port.view());
  record.address = vtep.address;
  if (vtep.kind == VtepKind::local) {
    record.kind = contract::VtepKind::local;
    return record;
  }
  record.kind = contract::VtepKind::remote;
  const Dscp dscp = vtep.dscp.value_or(Dscp{});
  record.dscp_mode = dscp.pinned ? contract::DscpMode::pin : contract::DscpMode::copy;
  record.dscp = dscp.pinned.value_or(0);
  record.ttl = vtep.ttl.value_or(ttl_default);
  record.next_hop_mac = vtep.next_hop_mac.value_or(base::MacAddress{});
  record.udp_checksum = checksum_of(vtep.udp_checksum.value_or(UdpChecksum::zero));
  CHECK(vtep.next_hops.size() <= record.next_hops.size());  // validate() saw to it.
  for (std::size_t i = 0; i < vtep.next_hops.size(); ++i) {
    record.next_hops[i] = allocation_.next_hop(vtep.next_hops[i].view());
  }
  if (is_own_next_hop(vtep)) {
    record.port = base::no_port;
    record.next_hops[0] = allocation_.next_hop_of(vtep);
  }
  record.source = vtep.source.empty() ? source_of(vtep) : allocation_.vtep(vtep.source.view());
  return record;
}

contract::NetworkSet Records::network_set(const Network& network) const {
  contract::NetworkSet record{};
  record.network = allocation_.network(network.name.view());
  record.vni = network.vni;
  record.flood_unknown_unicast = network.unknown_unicast == UnknownUnicast::flood ? 1 : 0;
  CHECK(network.flood.size() <= record.flood_vteps.size());  // validate() saw to it.
  record.flood_vtep_count = static_cast<std::uint16_t>(network.flood.size());
  for (std::size_t i = 0; i < network.flood.size(); ++i) {
    record.flood_vteps[i] = allocation_.vtep(network.flood[i].view());
  }
  // The list is a set: another order in the file is no change.
  std::sort(record.flood_vteps.begin(), record.flood_vteps.begin() + record.flood_vtep_count);
  return record;
}

contract::EndpointSet Records::endpoint_set(const Endpoint& endpoint) const {
  const bool is_remote = !endpoint.vtep.empty();
  return {.network = allocation_.network(endpoint.network.view()),
          .mac = endpoint.mac,
          .place = is_remote ? contract::EndpointPlace::vtep : contract::EndpointPlace::port,
          .reserved = 0,
          .target = is_remote ? allocation_.vtep(endpoint.vtep.view()).value
                              : allocation_.port(endpoint.port.view()).value};
}

contract::HostRuleSet Records::host_rule_set(const HostRule& rule) {
  const contract::HostClassText* text = host_class_of(rule);
  CHECK(text != nullptr);  // validate() saw to it.
  return {.host_class = text->host_class,
          .action = rule.action == HostAction::drop ? contract::HostAction::drop
                                                    : contract::HostAction::to_host,
          .reserved = 0,
          .rate = rule.rate.value_or(text->rate),
          .burst = rule.burst.value_or(text->burst)};
}

contract::QueueSet Records::queue_set(const Queue& queue) const {
  contract::QueueSet record{};
  record.port = allocation_.port(queue.port.view());
  record.traffic_class = queue.traffic_class;
  for (const std::uint8_t dscp : queue.dscp) record.dscp |= std::uint64_t{1} << dscp;
  for (const RoceTraffic traffic : queue.carries) record.carries |= bit_of(traffic);
  record.rate = bits_of(queue.rate);
  record.burst = bytes_of(queue.burst);
  record.buffer = bytes_of(queue.buffer);
  if (!queue.kmax) return record;
  record.kmin = bytes_of(queue.kmin);
  record.kmax = bytes_of(queue.kmax);
  // Where both ends are one, there is nothing between.
  record.pmax = queue.pmax ? queue.pmax->millionths : contract::queue_pmax_max;
  record.mark = place_of(queue.mark.value_or(MarkPlace::outer));
  record.drop_not_ect = queue.not_ect.value_or(NotEct::drop) == NotEct::drop ? 1 : 0;
  record.mark_control = queue.mark_control.value_or(false) ? 1 : 0;
  return record;
}

namespace {

contract::Digests digests_without_endpoints(const Intent& intent, const Records& records) {
  contract::Digests digests{};
  for (const Port& port : intent.ports) {
    digests.ports += contract::record_digest(records.port_add(port));
    digests.ports += contract::record_digest(records.port_set(port));
  }
  for (const HostRule& rule : intent.host_rules) {
    digests.ports += contract::record_digest(Records::host_rule_set(rule));
  }
  for (const Queue& queue : intent.queues) {
    digests.ports += contract::record_digest(records.queue_set(queue));
  }
  for (const Network& network : intent.networks) {
    digests.networks += contract::record_digest(records.network_set(network));
  }
  for (const NextHop& next_hop : intent.next_hops) {
    digests.vteps += contract::record_digest(records.next_hop_set(next_hop));
  }
  for (const Vtep& vtep : intent.vteps) {
    digests.vteps += contract::record_digest(records.vtep_set(vtep));
    if (!is_own_next_hop(vtep)) continue;
    digests.vteps += contract::record_digest(records.next_hop_set(vtep));
  }
  return digests;
}

}  // namespace

contract::Digests digests_of(const Intent& intent, const Allocation& allocation) {
  const Records records(intent, allocation);
  contract::Digests digests = digests_without_endpoints(intent, records);
  for (const Endpoint& endpoint : intent.endpoints) {
    digests.endpoints += contract::record_digest(records.endpoint_set(endpoint));
  }
  return digests;
}

contract::Digests digests_after(const contract::Digests& digests, const Intent& before,
                                const Intent& after, const Allocation& allocation) {
  const Records records(after, allocation);
  contract::Digests result = digests_without_endpoints(after, records);
  result.endpoints = digests.endpoints;
  const Merge<Endpoint> endpoints(before.endpoints, after.endpoints);
  endpoints.for_each_change([&](const Endpoint* old_one, const Endpoint* new_one) {
    // A record of an endpoint says nothing of other objects but their numbers.
    if (old_one != nullptr) {
      result.endpoints -= contract::record_digest(records.endpoint_set(*old_one));
    }
    if (new_one != nullptr) {
      result.endpoints += contract::record_digest(records.endpoint_set(*new_one));
    }
  });
  return result;
}

}  // namespace cp
