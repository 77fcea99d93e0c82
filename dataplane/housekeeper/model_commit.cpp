// SPDX-License-Identifier: Apache-2.0
// The end of a transaction: what a replacement leaves out, whether the references hold, and taking
// it back. References are looked at from both ends: what was set must find its targets, and what
// was removed must not be a target any more.
#include "dataplane/housekeeper/model.hpp"

#include <algorithm>

namespace dp {

using base::Errc;
using base::fail;
using contract::PortRole;
using contract::VtepKind;

namespace {

// Objects per call: some 10 ns each, and networks look at up to 128 VTEPs.
constexpr std::uint32_t objects_per_slice = 1024;
constexpr std::uint32_t endpoints_per_slice = 16 * 1024;

}  // namespace

void Model::begin(base::Generation next, contract::TableSet replaced) {
  next_ = next;
  replaced_ = replaced;
  objects_touched_ = replaced != 0;
  cursor_ = 0;
  before_ = now_;
}

bool Model::count_endpoints() {
  bool is_known = true;
  tables_.endpoints.for_each([&](std::uint64_t key, std::uint32_t value) {
    const std::uint64_t network = key >> 48;
    const EndpointValue endpoint = EndpointValue::decode(value);
    const std::size_t targets =
        endpoint.place == contract::EndpointPlace::vtep ? vteps_.size() : ports_.size();
    is_known = is_known && network < networks_.size() && endpoint.target < targets &&
               value == endpoint.encode();
    if (is_known) count_endpoint(key, value, true);
  });
  before_ = now_;
  return is_known;
}

void Model::forget_endpoints() {
  now_.digests.endpoints = 0;
  now_.port_endpoints = {};
  std::ranges::fill(now_.network_endpoints, 0);
  std::ranges::fill(now_.vtep_endpoints, 0);
  before_ = now_;
}

bool Model::sweep() {
  if (replaced_ == 0) return false;
  const auto removed = [this](std::uint64_t key, std::uint32_t value) {
    count_endpoint(key, value, false);
  };
  if (tables_.endpoints.sweep(next_, endpoints_per_slice, removed)) return true;

  const auto objects =
      static_cast<std::uint32_t>(std::max({ports_.size(), networks_.size(), vteps_.size(),
                                           next_hops_.size(), host_rules_.size(), queues_.size()}));
  const std::uint32_t end = std::min(cursor_ + objects_per_slice, objects);
  for (; cursor_ < end; ++cursor_) {
    const std::uint32_t id = cursor_;
    if (id < ports_.size() && will_go(ports_[id])) remove_port(id);
    if (id < networks_.size() && networks_[id].present && will_go(networks_[id])) {
      remove_network(id);
    }
    if (id < vteps_.size() && vteps_[id].present && will_go(vteps_[id])) remove_vtep(id);
    if (id < next_hops_.size() && next_hops_[id].present && will_go(next_hops_[id])) {
      remove_next_hop(id);
    }
    if (id < host_rules_.size() && host_rules_[id].present && will_go(host_rules_[id])) {
      remove_host_rule(id);
    }
    if (id < queues_.size() && queues_[id].present && will_go(queues_[id])) remove_queue(id);
  }
  if (cursor_ < objects) return true;
  cursor_ = 0;
  replaced_ = 0;
  return false;
}

base::Result<bool> Model::check() {
  if (cursor_ == 0) {
    if (auto status = check_ports(); !status) return std::unexpected(status.error());
  }
  // One walk over all; a transaction of endpoints alone cannot break what it checks.
  const auto objects =
      static_cast<std::uint32_t>(std::max({networks_.size(), vteps_.size(), next_hops_.size()}));
  const std::uint32_t end = objects_touched_ ? std::min(cursor_ + objects_per_slice, objects) : 0;
  for (; cursor_ < end; ++cursor_) {
    if (auto status = check_network(cursor_); !status) return std::unexpected(status.error());
    if (auto status = check_vtep(cursor_); !status) return std::unexpected(status.error());
    if (auto status = check_next_hop(cursor_); !status) return std::unexpected(status.error());
  }
  if (objects_touched_ && cursor_ < objects) return true;
  cursor_ = 0;
  return false;
}

base::Status Model::check_ports() const {
  for (std::uint32_t id = 0; id < ports_.size(); ++id) {
    const PortEndpoints& endpoints = now_.port_endpoints[id];
    if (auto status = check_queues(id); !status) return status;
    if (!ports_[id].present) {
      if (endpoints.count != 0) {
        return fail(Errc::in_use, "a removed port still has endpoints; remove them with it");
      }
      continue;
    }
    if (auto status = check_vlan(ports_[id].record); !status) return status;
    const contract::PortSet& port = ports_[id].record.set;
    if (port.network != base::no_network && !network_exists(port.network)) {
      return fail(Errc::not_found, "a port's network does not exist");
    }
    if (auto status = check_peer(id); !status) return status;
    // What keeps tenants apart: a network's frames reach no port of another.
    const std::uint64_t network = port.network.value;
    if (endpoints.network_sum != endpoints.count * network ||
        endpoints.network_squares != endpoints.count * network * network) {
      return fail(Errc::in_use, "a port has endpoints of a network that is not the port's");
    }
  }
  return {};
}

base::Status Model::check_vlan(const PortConfig& port) const {
  const contract::PortSet& set = port.set;
  if (has_device(port) != (set.parent == 0)) {
    return fail(Errc::invalid_argument, "a port has a device or is a VLAN of another port");
  }
  if (set.parent == 0) return {};
  const base::PortId id{static_cast<std::uint16_t>(set.parent - 1)};
  if (!port_exists(id)) return fail(Errc::in_use, "the parent of a VLAN's port does not exist");
  const PortConfig& parent = ports_[id.value].record;
  if (parent.set.role != PortRole::tenant || !has_device(parent)) {
    return fail(Errc::invalid_argument, "the parent of a VLAN's port is no tenant port by itself");
  }
  for (const auto& other : ports_) {
    const contract::PortSet& its = other.record.set;
    if (!other.present || its.port == set.port || its.parent != set.parent) continue;
    if (its.vlan == set.vlan && its.inner_vlan == set.inner_vlan) {
      return fail(Errc::already_exists, "two ports are the same VLAN of one port");
    }
  }
  return {};
}

// Frames of the underlay must not end up at a tenant, nor a tenant's at the kernel.
base::Status Model::check_peer(std::uint32_t id) const {
  const contract::PortSet& port = ports_[id].record.set;
  const bool is_host = port.role == PortRole::host;
  if (!is_host && port.role != PortRole::transit) return {};
  if (port.transit_peer == base::no_port) return {};
  if (!port_exists(port.transit_peer)) {
    return fail(Errc::not_found, "the peer of a transit or host port does not exist");
  }
  const PortRole peer = ports_[port.transit_peer.value].record.set.role;
  if (!is_host) {
    if (peer == PortRole::transit) return {};
    return fail(Errc::invalid_argument, "a transit port's peer is no transit port");
  }
  if (peer != PortRole::underlay) {
    return fail(Errc::invalid_argument, "a host port's peer is no underlay port");
  }
  for (std::uint32_t other = 0; other < id; ++other) {
    const contract::PortSet& twin = ports_[other].record.set;
    if (ports_[other].present && twin.role == PortRole::host &&
        twin.transit_peer == port.transit_peer) {
      return fail(Errc::already_exists, "two host ports have the same peer");
    }
  }
  return {};
}

base::Status Model::check_network(std::uint32_t id) const {
  if (id >= networks_.size()) return {};
  if (!networks_[id].present) {
    if (now_.network_endpoints[id] == 0) return {};
    return fail(Errc::in_use, "a removed network still has endpoints; remove them with it");
  }
  const contract::NetworkSet& network = networks_[id].record;
  if (tables_.network_by_vni.find_staged(vni_key(network.vni)) != id) {
    return fail(Errc::already_exists, "two networks have the same VNI");
  }
  for (std::size_t i = 0; i < network.flood_vtep_count; ++i) {
    const base::VtepId vtep = network.flood_vteps[i];
    if (!vtep_exists(vtep) || vteps_[vtep.value].record.kind != VtepKind::remote) {
      return fail(Errc::in_use, "a network floods to a VTEP that is removed or not remote");
    }
  }
  return {};
}

bool Model::is_underlay(base::PortId id) const noexcept {
  return ports_[id.value].record.set.role == PortRole::underlay;
}

base::Status Model::check_next_hop(std::uint32_t id) const {
  if (id >= next_hops_.size() || !next_hops_[id].present) return {};
  const base::PortId port = next_hops_[id].record.port;
  if (!port_exists(port)) return fail(Errc::in_use, "a next hop's port is removed");
  // As with a VTEP's.
  if (!is_underlay(port)) {
    return fail(Errc::invalid_argument, "a next hop's port is no underlay port");
  }
  return {};
}

base::Status Model::check_paths_in_force(const contract::VtepSet& vtep) const {
  for (const base::NextHopId next_hop : vtep.next_hops) {
    if (next_hop == base::no_next_hop || next_hop_exists(next_hop)) continue;
    return fail(Errc::in_use, "a VTEP's next hop is removed");
  }
  if (vtep.port == base::no_port) return {};
  if (!port_exists(vtep.port)) return fail(Errc::in_use, "a VTEP's port is removed");
  // Tunnel packets of one tenant must not leave at the port of another.
  if (!is_underlay(vtep.port)) {
    return fail(Errc::invalid_argument, "a VTEP's port is no underlay port");
  }
  return {};
}

base::Status Model::check_vtep(std::uint32_t id) const {
  if (id >= vteps_.size()) return {};
  const bool is_remote = vteps_[id].present && vteps_[id].record.kind == VtepKind::remote;
  if (!is_remote && now_.vtep_endpoints[id] != 0) {
    return fail(Errc::in_use, "a removed or local VTEP still has endpoints behind it");
  }
  if (!vteps_[id].present) return {};
  const contract::VtepSet& vtep = vteps_[id].record;
  if (tables_.vtep_by_address.find_staged(tables_.vtep_key(vtep.address)) != id) {
    return fail(Errc::already_exists, "two VTEPs have the same address");
  }
  if (auto status = check_paths_in_force(vtep); !status) return status;
  if (is_remote &&
      (!vtep_exists(vtep.source) || vteps_[vtep.source.value].record.kind != VtepKind::local)) {
    return fail(Errc::in_use, "a VTEP's source is removed or not local");
  }
  if (is_remote && vteps_[vtep.source.value].record.address.is_v4() != vtep.address.is_v4()) {
    return fail(Errc::invalid_argument, "a VTEP and its source have addresses of two families");
  }
  return {};
}

template <class Record>
void Model::keep(std::vector<ModelSlot<Record>>& slots, std::vector<Undo<Record>>& undo) {
  for (const Undo<Record>& entry : undo) slots[entry.id].touched = false;
  undo.clear();
}

template <class Record>
void Model::restore(std::vector<ModelSlot<Record>>& slots, std::vector<Undo<Record>>& undo) {
  for (const Undo<Record>& entry : undo) slots[entry.id] = entry.before;
  undo.clear();
}

void Model::keep() {
  keep(ports_, ports_undo_);
  keep(networks_, networks_undo_);
  keep(vteps_, vteps_undo_);
  keep(next_hops_, next_hops_undo_);
  keep(host_rules_, host_rules_undo_);
  keep(queues_, queues_undo_);
  before_ = now_;
  replaced_ = 0;
  objects_touched_ = false;
  cursor_ = 0;
}

void Model::restore() {
  restore(ports_, ports_undo_);
  restore(networks_, networks_undo_);
  restore(vteps_, vteps_undo_);
  restore(next_hops_, next_hops_undo_);
  restore(host_rules_, host_rules_undo_);
  restore(queues_, queues_undo_);
  now_ = before_;
  replaced_ = 0;
  objects_touched_ = false;
  cursor_ = 0;
}

const ModelSlot<PortConfig>& Model::port_before(std::uint32_t id) const noexcept {
  for (const Undo<PortConfig>& entry : ports_undo_) {
    if (entry.id == id) return entry.before;
  }
  return ports_[id];
}

}  // namespace dp
