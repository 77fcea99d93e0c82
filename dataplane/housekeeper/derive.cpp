// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/derive.hpp"

#include "dataplane/housekeeper/derive_queue.hpp"
#include "dataplane/housekeeper/next_hops.hpp"
#include "dataplane/queue/epoch.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace dp {
namespace {

constexpr std::uint32_t objects_per_slice = 512;
constexpr std::uint8_t ttl_default = 64;       // RFC 1700's recommended default.
constexpr std::uint8_t copy_dscp_mask = 0xff;  // Outer TOS is the inner one.
constexpr std::uint8_t ecn_mask = 0x03;        // Only ECN comes from the inner one.

constexpr bool has_peer(contract::PortRole role) noexcept {
  return role == contract::PortRole::transit || role == contract::PortRole::host;
}

HostRuleRecord make_host_rule(const contract::HostRuleSet& rule) noexcept {
  return {.drops = rule.action == contract::HostAction::drop,
          .reserved = {},
          .rate = rule.rate,
          .burst = rule.burst};
}

// Records without padding are equal where their bytes are.
template <class Record>
  requires std::has_unique_object_representations_v<Record>
bool differs(const Record* staged, const Record& wanted) noexcept {
  return staged == nullptr || std::memcmp(staged, &wanted, sizeof wanted) != 0;
}

template <class Record>
base::Status put(VersionedArray<Record>& table, std::uint32_t id, const Record& record,
                 base::Generation next) {
  if (!differs(table.staged(id), record)) return {};
  return table.stage(id, record, next);
}

template <class Record>
base::Status drop(VersionedArray<Record>& table, std::uint32_t id, base::Generation next) {
  if (table.staged(id) == nullptr) return {};
  return table.stage_removal(id, next);
}

// Of a VLAN's port less what its tags add: PortRecord::frame_bytes_max() leaves room for two.
std::uint16_t mtu_of(const contract::PortSet& port, const DeviceFacts& device) noexcept {
  const std::uint16_t mtu = port.mtu != 0 ? port.mtu : device.mtu;
  if (port.parent == 0) return mtu;
  const std::size_t tag_bytes = (port.inner_vlan == 0 ? 1 : 2) * sizeof(VlanTag);
  return static_cast<std::uint16_t>(std::min(mtu, device.mtu) - tag_bytes);
}

// The tenant ports of `network`, one bit each.
std::uint64_t local_ports(const Model& model, base::NetworkId network) noexcept {
  std::uint64_t bits = 0;
  for (std::uint32_t id = 0; id < model.port_slots(); ++id) {
    const auto& port = model.port(id);
    if (port.present && port.record.set.role == contract::PortRole::tenant &&
        port.record.set.network == network) {
      bits |= std::uint64_t{1} << id;
    }
  }
  return bits;
}

base::Status derive_network(const Model& model, Tables& tables, std::uint32_t id,
                            base::Generation next) {
  if (id >= model.network_slots()) return {};
  const auto& network = model.network(id);
  if (!network.present) return drop(tables.networks, id, next);
  const std::uint64_t ports = local_ports(model, network.record.network);
  return put(tables.networks, id, make_network_record(network.record, ports), next);
}

base::Result<PathFacts> path_at(const Tables& tables, base::PortId id, NextHopPlace place,
                                const base::MacAddress& next_hop_mac) {
  const PortRecord* port = tables.ports.staged(id.value);
  if (port == nullptr) {
    return base::fail(base::Errc::device_failed, "a VTEP's port has no open device");
  }
  return PathFacts{.place = place,
                   .port = id,
                   .next_hop_mac = next_hop_mac,
                   .port_mac = port->mac,
                   .mtu = port->mtu};
}

base::Result<std::array<PathFacts, 2>> paths_of(const Model& model, const NextHops& next_hops,
                                                const Tables& tables,
                                                const contract::VtepSet& vtep) {
  std::array<PathFacts, 2> paths{};
  const bool names_next_hops = vtep.next_hops[0] != base::no_next_hop;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const base::NextHopId id = vtep.next_hops[i];
    if (id == base::no_next_hop && (names_next_hops || i > 0)) continue;
    const contract::NextHopSet& next_hop = model.next_hop(id.value).record;
    const NextHopPlace without = vtep.next_hop_mac.is_zero() ? never_usable : always_usable;
    auto path = names_next_hops ? path_at(tables, next_hop.port, next_hops.place(id), next_hop.mac)
                                : path_at(tables, vtep.port, without, vtep.next_hop_mac);
    if (!path) return std::unexpected(path.error());
    paths[i] = *path;
  }
  return paths;
}

base::Status derive_vtep(const Model& model, const NextHops& next_hops, Tables& tables,
                         std::uint32_t id, base::Generation next) {
  if (id >= model.vtep_slots()) return {};
  const auto& vtep = model.vtep(id);
  if (!vtep.present) return drop(tables.vteps, id, next);
  if (vtep.record.kind == contract::VtepKind::local) {
    return put(tables.vteps, id, make_vtep_record(vtep.record, {}, {}), next);
  }
  const auto paths = paths_of(model, next_hops, tables, vtep.record);
  if (!paths) return std::unexpected(paths.error());
  const contract::VtepSet& source = model.vtep(vtep.record.source.value).record;
  return put(tables.vteps, id, make_vtep_record(vtep.record, source, *paths), next);
}

template <class Ip, class Address>
void prepare_outer(VtepRecord& record, const contract::VtepSet& vtep, const Address& source,
                   const Address& destination, const std::array<PathFacts, 2>& paths) noexcept {
  const UdpTunnelHeader<Ip> outer =
      prepare_udp_tunnel(UdpTunnelAddresses<Ip>{.source_mac = paths[0].port_mac,
                                                .next_hop_mac = paths[0].next_hop_mac,
                                                .source = source,
                                                .destination = destination,
                                                .ttl = vtep.ttl != 0 ? vtep.ttl : ttl_default,
                                                .udp_destination = udp_port::vxlan});
  std::memcpy(record.outer_bytes.data(), &outer, sizeof outer);
  record.second_ethernet = {.destination = paths[1].next_hop_mac,
                            .source = paths[1].port_mac,
                            .type = outer.ethernet.type};
  const auto path = [](const PathFacts& facts) {
    // The MTU counts the outer IP packet.
    constexpr std::uint16_t added = sizeof(Ip) + sizeof(UdpHeader) + sizeof(VxlanHeader);
    return VtepPath{
        .place = facts.place,
        .port = facts.port,
        .frame_bytes_max = static_cast<std::uint16_t>(facts.mtu - std::min(facts.mtu, added))};
  };
  record.first = path(paths[0]);
  record.second = path(paths[1]);
}

bool is_vlan_of(const ModelSlot<PortConfig>& port, std::uint32_t parent) noexcept {
  return port.present && port.record.set.parent == parent + 1;
}

// Ports with a VLAN, those that are one, and their parents; one bit each.
std::uint64_t tagging_ports(const Model& model) noexcept {
  std::uint64_t bits = 0;
  for (std::uint32_t id = 0; id < model.port_slots(); ++id) {
    const contract::PortSet& set = model.port(id).record.set;
    if (!model.port(id).present || set.vlan == 0) continue;
    bits |= std::uint64_t{1} << id;
    if (set.parent != 0) bits |= std::uint64_t{1} << (set.parent - 1);
  }
  return bits;
}

// With what the port's own records do not say.
PortRecord with_vlans(PortRecord record, const Model& model, std::uint32_t id) noexcept {
  for (std::uint32_t other = 0; other < model.port_slots(); ++other) {
    if (!is_vlan_of(model.port(other), id)) continue;
    record.untagged_network = record.network;
    record.network = base::no_network;
    record.maps_vlans = 1;
    break;
  }
  return record;
}

// Ports whose frames go through a queue, one bit each: where a rate or a class of traffic is said.
std::uint64_t queueing_ports(const Model& model, const FactsByPort& facts) noexcept {
  std::uint64_t bits = 0;
  for (std::uint32_t id = 0; id < model.port_slots(); ++id) {
    const auto& port = model.port(id);
    if (!port.present || !has_device(port.record) || facts[id] == nullptr) continue;
    const auto queues = model.queues(id);
    const bool any =
        std::any_of(queues.begin(), queues.end(), [](const auto& queue) { return queue.present; });
    if (any || port.record.set.rate != 0) bits |= std::uint64_t{1} << id;
  }
  return bits;
}

// All of them anew: they are few, and what is not set again goes.
base::Status derive_vlan_keys(const Model& model, Tables& tables, base::Generation next) {
  if (auto status = tables.port_by_vlan.begin_replace(next); !status) return status;
  for (std::uint32_t id = 0; id < model.port_slots(); ++id) {
    const auto& port = model.port(id);
    const contract::PortSet& set = port.record.set;
    if (!port.present || set.parent == 0) continue;
    const base::PortId parent{static_cast<std::uint16_t>(set.parent - 1)};
    const std::uint64_t key = vlan_key(parent, set.vlan, set.inner_vlan);
    if (auto status = tables.port_by_vlan.set(key, id, next); !status) return status;
  }
  while (tables.port_by_vlan.sweep(next)) {
  }
  return {};
}

}  // namespace

std::array<base::PortId, contract::port_count_max> twins_of(const Model& model) noexcept {
  std::array<base::PortId, contract::port_count_max> twins;
  twins.fill(base::no_port);
  for (std::uint32_t id = 0; id < model.port_slots(); ++id) {
    const auto& port = model.port(id);
    const contract::PortSet& set = port.record.set;
    if (!port.present || set.role != contract::PortRole::host) continue;
    if (set.transit_peer == base::no_port) continue;
    twins[set.transit_peer.value] = base::PortId{static_cast<std::uint16_t>(id)};
  }
  return twins;
}

PortRecord make_port_record(const PortConfig& port, const DeviceFacts& facts) noexcept {
  const contract::PortSet& set = port.set;
  return {.role = set.role,
          .network = set.role == contract::PortRole::tenant ? set.network : base::no_network,
          .transit_peer = has_peer(set.role) ? set.transit_peer : base::no_port,
          .mtu = mtu_of(set, facts),
          .mac = facts.mac,
          .vlan = set.vlan,
          .inner_vlan = set.inner_vlan,
          .parent = set.parent != 0 ? base::PortId{static_cast<std::uint16_t>(set.parent - 1)}
                                    : base::no_port};
}

NetworkRecord make_network_record(const contract::NetworkSet& network,
                                  std::uint64_t local_ports) noexcept {
  return {.vni = network.vni,
          .flood_unknown_unicast = network.flood_unknown_unicast != 0,
          .reserved = 0,
          .flood_vtep_count = network.flood_vtep_count,
          .local_ports = local_ports,
          .flood_vteps = network.flood_vteps};
}

VtepRecord make_vtep_record(const contract::VtepSet& vtep, const contract::VtepSet& source,
                            const std::array<PathFacts, 2>& paths) noexcept {
  VtepRecord record{};
  record.kind = vtep.kind;
  record.address = vtep.address;
  if (vtep.kind == contract::VtepKind::local) return record;

  const bool pinned = vtep.dscp_mode == contract::DscpMode::pin;
  record.tos_mask = pinned ? ecn_mask : copy_dscp_mask;
  record.tos_pinned = static_cast<std::uint8_t>(pinned ? vtep.dscp << 2 : 0);
  const bool summed = vtep.udp_checksum == contract::UdpChecksum::full;
  if (vtep.address.is_v4()) {
    record.form = summed ? OuterForm::ipv4_summed : OuterForm::ipv4;
    prepare_outer<Ipv4Header>(record, vtep, source.address.v4(), vtep.address.v4(), paths);
    record.ip_sum = constant_sum(record.outer<Ipv4Header>().ip);
  } else {
    record.form = summed ? OuterForm::ipv6_summed : OuterForm::ipv6;
    prepare_outer<Ipv6Header>(record, vtep, source.address.v6, vtep.address.v6, paths);
  }
  return record;
}

base::Status Derivation::ports(const Model& model, const FactsByPort& facts, Tables& tables,
                               base::Generation next) {
  const std::uint64_t tagging = tagging_ports(model);
  const std::uint64_t queueing = queueing_ports(model, facts);
  const auto twins = twins_of(model);
  for (std::uint32_t id = 0; id < model.port_slots(); ++id) {
    const auto& port = model.port(id);
    const DeviceFacts* device = facts[device_port(port.record, id)];
    if (!port.present || device == nullptr) {
      if (auto status = drop(tables.ports, id, next); !status) return status;
      continue;
    }
    PortRecord record = with_vlans(make_port_record(port.record, *device), model, id);
    record.tagging_ports = tagging;
    record.queueing_ports = queueing;
    record.twin = twins[id];
    if (auto status = put(tables.ports, id, record, next); !status) return status;
  }
  return derive_vlan_keys(model, tables, next);
}

base::Status Derivation::queues(const Model& model, const FactsByPort& facts, Tables& tables,
                                base::Generation next) const {
  const std::uint64_t queueing = queueing_ports(model, facts);
  for (std::uint32_t id = 0; id < model.port_slots(); ++id) {
    const QueueRecord* before = tables.queues.staged(id);
    if ((queueing >> id & 1) == 0) {
      const bool has_port = model.port(id).present && facts[id] != nullptr;
      const base::Status status = has_port && before != nullptr
                                      ? put(tables.queues, id, closing_after(*before), next)
                                      : drop(tables.queues, id, next);
      if (!status) return status;
      continue;
    }
    QueueSettings settings{};
    for (std::size_t i = 0; i < settings.size(); ++i) {
      const auto& queue = model.queues(id)[i];
      if (queue.present) settings[i] = &queue.record;
    }
    const QueueRecord record =
        after(before, make_queue_record(model.port(id).record.set, settings, tsc_hz_));
    if (auto status = put(tables.queues, id, record, next); !status) return status;
  }
  return {};
}

base::Status Derivation::host_rules(const Model& model, Tables& tables, base::Generation next) {
  for (std::uint32_t id = 0; id < contract::host_class_count; ++id) {
    const auto& rule = model.host_rule(id);
    const base::Status status = rule.present
                                    ? put(tables.host_rules, id, make_host_rule(rule.record), next)
                                    : drop(tables.host_rules, id, next);
    if (!status) return status;
  }
  return {};
}

base::Result<bool> Derivation::step(const Model& model, const FactsByPort& facts,
                                    const NextHops& next_hops, Tables& tables,
                                    base::Generation next) {
  if (!model.objects_touched()) return false;
  if (cursor_ == 0) {
    if (auto status = ports(model, facts, tables, next); !status) {
      return std::unexpected(status.error());
    }
    if (auto status = queues(model, facts, tables, next); !status) {
      return std::unexpected(status.error());
    }
    if (auto status = host_rules(model, tables, next); !status) {
      return std::unexpected(status.error());
    }
  }
  const std::uint32_t objects = std::max(model.network_slots(), model.vtep_slots());
  const std::uint32_t end = std::min(cursor_ + objects_per_slice, objects);
  for (; cursor_ < end; ++cursor_) {
    if (auto status = derive_network(model, tables, cursor_, next); !status) {
      return std::unexpected(status.error());
    }
    if (auto status = derive_vtep(model, next_hops, tables, cursor_, next); !status) {
      return std::unexpected(status.error());
    }
  }
  if (cursor_ < objects) return true;
  cursor_ = 0;
  return false;
}

}  // namespace dp
