// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/model.hpp"

namespace test {
namespace {

constexpr std::string_view wire_mac = "02:70:63:61:70:00";
constexpr std::uint16_t own_vtep6 = Model::vtep_last + 1;
constexpr std::uint64_t group_bit = std::uint64_t{1} << 40;

std::uint64_t key(std::uint16_t network, std::uint64_t mac) {
  return std::uint64_t{network} << 48 | mac;
}

}  // namespace

Model::Model(Gateway& gateway, std::uint64_t seed) : gateway_(gateway), random_(seed) {
  for (std::uint16_t port = 0; port < tenant_ports; ++port) {
    if (!is_vlan(port)) gateway_.add_port(port, tenant_port(0));
    stage_port(port, 0);
  }
  gateway_.add_port(wire, underlay_port(wire_mac));
  gateway_.set_local_vtep(1, own_address(4));
  gateway_.set_local_vtep(own_vtep6, own_address(6));
  gateway_.commit();
}

std::string Model::mac_text(std::uint16_t number) {
  constexpr char digits[] = "0123456789abcdef";
  return std::string("02:00:00:00:0a:0") + digits[number];
}

std::string Model::vtep_address(std::uint16_t vtep) {
  return (family_of(vtep) == 4 ? "198.18.0." : "fd00:18::") + std::to_string(vtep);
}

std::uint32_t Model::pick(std::uint32_t count) {
  return static_cast<std::uint32_t>(random_() % count);
}

std::optional<std::uint32_t> Model::vni_of(std::uint16_t network) const {
  const auto found = now_.networks.find(network);
  if (found == now_.networks.end()) return {};
  return found->second.vni;
}

void Model::change(unsigned changes) {
  for (unsigned i = 0; i < changes; ++i) {
    switch (pick(8)) {
      case 0: change_port(); break;
      case 1: change_network(); break;
      case 2: swap_vnis(); break;
      case 3: change_vtep(); break;
      default: change_endpoint(); break;
    }
  }
}

void Model::change_port() {
  const auto port = static_cast<std::uint16_t>(pick(tenant_ports));
  next_.port_network[port] = static_cast<std::uint16_t>(pick(network_max + 1));
  stage_port(port, next_.port_network[port]);
}

void Model::stage_port(std::uint16_t port, std::uint16_t network) {
  if (is_vlan(port)) {
    Gateway::Vlan vlan = vlan_of(port);
    vlan.network = network;
    return gateway_.set_vlan(port, vlan);
  }
  gateway_.set_port(port, port == trunk ? trunk_port(network) : tenant_port(network));
}

void Model::stage_network(std::uint16_t network) {
  const Network& record = next_.networks.at(network);
  gateway_.set_network(network, record.vni, record.flood_unknown, record.flood_vteps);
}

void Model::change_network() {
  const auto network = static_cast<std::uint16_t>(1 + pick(network_max));
  const auto old = next_.networks.find(network);
  if (old != next_.networks.end()) {
    gateway_.remove_network(network, old->second.vni);
    next_.networks.erase(old);
    if (pick(4) == 0) return;  // Gone, with ports and endpoints that still name it.
  }
  Network record{.vni = vni_first + pick(vni_count), .flood_unknown = pick(2) == 0};
  for (const auto& [other, used] : next_.networks) {
    if (used.vni == record.vni) return;  // Belongs to somebody.
  }
  for (std::uint16_t vtep = vtep_first; vtep <= vtep_last; ++vtep) {
    if (pick(2) == 0) record.flood_vteps.push_back(vtep);
  }
  next_.networks[network] = record;
  stage_network(network);
}

// The nastiest change: two networks exchange their VNIs in one transaction.
void Model::swap_vnis() {
  const auto one = static_cast<std::uint16_t>(1 + pick(network_max));
  const auto other = static_cast<std::uint16_t>(1 + pick(network_max));
  const auto first = next_.networks.find(one);
  const auto second = next_.networks.find(other);
  if (one == other || first == next_.networks.end() || second == next_.networks.end()) return;
  gateway_.remove_network(one, first->second.vni);
  gateway_.remove_network(other, second->second.vni);
  std::swap(first->second.vni, second->second.vni);
  stage_network(one);
  stage_network(other);
}

void Model::change_endpoint() {
  const auto network = static_cast<std::uint16_t>(1 + pick(network_max));
  const std::string address = mac_text(static_cast<std::uint16_t>(pick(mac_count)));
  const std::uint64_t where = key(network, mac(address).to_integer());
  if (pick(4) == 0) {
    if (next_.endpoints.erase(where) > 0) gateway_.remove_endpoint(network, address);
    return;
  }
  // Ports of any network, and VTEPs that may be gone: the endpoint's word alone must not do.
  const dp::EndpointValue value =
      pick(2) == 0
          ? at_port(static_cast<std::uint16_t>(pick(tenant_ports)))
          : at_vtep(static_cast<std::uint16_t>(vtep_first + pick(vtep_last - vtep_first + 1)));
  next_.endpoints[where] = value;
  gateway_.set_endpoint(network, address, value);
}

void Model::change_vtep() {
  const auto vtep = static_cast<std::uint16_t>(vtep_first + pick(vtep_last - vtep_first + 1));
  const std::string address = vtep_address(vtep);
  if (next_.vtep_present[vtep] && pick(4) == 0) {
    gateway_.remove_vtep(vtep, address);
    next_.vtep_present[vtep] = false;
    return;
  }
  next_.vtep_present[vtep] = true;
  next_.vtep_resolved[vtep] = pick(4) != 0;
  gateway_.set_remote_vtep(vtep, {.address = address,
                                  .port = wire,
                                  .source = own_address(family_of(vtep)),
                                  .resolved = next_.vtep_resolved[vtep]});
}

bool Model::reachable(std::uint16_t vtep) const {
  return now_.vtep_present[vtep] && now_.vtep_resolved[vtep];
}

Targets Model::flood(std::uint16_t network, Targets ingress, bool to_vteps) const {
  Targets targets = 0;
  const auto found = now_.networks.find(network);
  if (found == now_.networks.end()) return 0;
  for (std::uint16_t port = 0; port < tenant_ports; ++port) {
    if (now_.port_network[port] == network) targets |= to_port(port);
  }
  targets &= ~ingress;
  if (!to_vteps) return targets;
  for (const std::uint16_t vtep : found->second.flood_vteps) {
    if (reachable(vtep)) targets |= to_vtep(vtep);
  }
  return targets;
}

Targets Model::from_tenant(std::uint16_t port, std::uint64_t destination) const {
  const std::uint16_t network = now_.port_network[port];
  if (network == 0) return 0;
  const auto endpoint = now_.endpoints.find(key(network, destination));
  const auto record = now_.networks.find(network);
  if (endpoint == now_.endpoints.end()) {
    const bool group = (destination & group_bit) != 0;
    if (!group && (record == now_.networks.end() || !record->second.flood_unknown)) return 0;
    return flood(network, to_port(port), true);
  }
  const dp::EndpointValue value = endpoint->second;
  if (value.place == contract::EndpointPlace::vtep) {
    return record != now_.networks.end() && reachable(value.target) ? to_vtep(value.target) : 0;
  }
  if (value.target == port || now_.port_network[value.target] != network) return 0;
  return to_port(value.target);
}

Targets Model::from_wire(std::uint32_t vni, std::uint16_t source_vtep,
                         std::uint64_t destination) const {
  if (!now_.vtep_present[source_vtep]) return 0;
  for (const auto& [network, record] : now_.networks) {
    if (record.vni != vni) continue;
    const auto endpoint = now_.endpoints.find(key(network, destination));
    if (endpoint == now_.endpoints.end()) {
      const bool group = (destination & group_bit) != 0;
      return group || record.flood_unknown ? flood(network, 0, false) : 0;
    }
    const dp::EndpointValue value = endpoint->second;
    const bool here =
        value.place == contract::EndpointPlace::port && now_.port_network[value.target] == network;
    return here ? to_port(value.target) : 0;
  }
  return 0;
}

}  // namespace test
