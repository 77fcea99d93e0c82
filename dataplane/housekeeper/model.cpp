// SPDX-License-Identifier: Apache-2.0
// The verbs: each record is checked against what the transaction has made so far, then taken in.
// Those of how much may pass stand in model_traffic.cpp.
#include "dataplane/housekeeper/model.hpp"

#include "dataplane/base/byte_order.hpp"
#include "dataplane/base/check.hpp"

#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace dp {

using base::Errc;
using base::fail;
using contract::PortRole;
using contract::VtepKind;

namespace {

constexpr std::uint16_t mtu_min = 68;  // RFC 791: what every IPv4 link carries.
constexpr std::uint8_t dscp_max = 63;
constexpr std::uint16_t descriptors_max = 32768;

template <std::size_t N>
bool is_terminated(const contract::Text<N>& text) noexcept {
  return text[N - 1] == '\0';
}

// "net_tap0" of "net_tap0,iface=host0": DPDK knows a device once under this name.
std::string_view device_name(const contract::PortAdd& record) noexcept {
  const std::string_view devargs = contract::to_view(record.device);
  return devargs.substr(0, devargs.find(','));
}

// What one host can have on a link.
bool is_host(const base::IpAddress& address) noexcept {
  return address.is_unicast() || address.is_link_local();
}

bool is_sound(const contract::PortAddress& own) noexcept {
  if (own.prefix_length == 0) return own.address == base::IpAddress{} && own.reserved == 0;
  return is_host(own.address) && own.prefix_length <= (own.address.is_v4() ? 32 : 128) &&
         own.reserved == 0;
}

// Of the record that says this. Its words are made here: a record put together field by field goes
// through the stack, which took 14 ns of an endpoint where this takes 4.
std::uint64_t digest_of(std::uint64_t key, std::uint32_t value) noexcept {
  static_assert(std::endian::native == std::endian::little && sizeof(contract::EndpointSet) == 12);
  const EndpointValue endpoint = EndpointValue::decode(value);
  const std::uint64_t first = key >> 48 | base::swap_bytes(key << 16) << 16;
  const std::uint32_t rest =
      static_cast<std::uint32_t>(endpoint.place) | std::uint32_t{endpoint.target} << 16;
  contract::EndpointSet record;
  std::memcpy(&record, &first, sizeof first);
  std::memcpy(reinterpret_cast<std::byte*>(&record) + sizeof first, &rest, sizeof rest);
  return contract::record_digest(record);
}

}  // namespace

bool has_device(const PortConfig& port) noexcept {
  return port.add.device[0] != '\0';
}

std::uint32_t device_port(const PortConfig& port, std::uint32_t id) noexcept {
  return port.set.parent != 0 ? port.set.parent - 1u : id;
}

bool same_device_settings(const PortConfig& a, const PortConfig& b) noexcept {
  return contract::to_view(a.add.device) == contract::to_view(b.add.device) &&
         a.add.rx_queues == b.add.rx_queues && a.add.rx_descriptors == b.add.rx_descriptors &&
         a.add.tx_descriptors == b.add.tx_descriptors;
}

Model::Model(Tables& tables)
    : tables_(tables),
      ports_(tables.ports.count()),
      networks_(tables.networks.count()),
      vteps_(tables.vteps.count()),
      next_hops_(tables.next_hops.count() + 1),
      host_rules_(tables.host_rules.count()),
      queues_(tables.ports.count() * contract::traffic_class_count) {
  now_.network_endpoints.resize(networks_.size());
  now_.vtep_endpoints.resize(vteps_.size());
  before_ = now_;
}

bool Model::port_exists(base::PortId id) const noexcept {
  return id.value < ports_.size() && ports_[id.value].present;
}
bool Model::network_exists(base::NetworkId id) const noexcept {
  return id.value < networks_.size() && networks_[id.value].present;
}
bool Model::vtep_exists(base::VtepId id) const noexcept {
  return id.value < vteps_.size() && vteps_[id.value].present;
}

bool Model::next_hop_exists(base::NextHopId id) const noexcept {
  return id.value < next_hops_.size() && next_hops_[id.value].present;
}

base::Status Model::check_device(const contract::PortAdd& record) const {
  if (!is_terminated(record.name) || record.name[0] == '\0') {
    return fail(Errc::invalid_argument, "a port needs a name of 1 to 31 characters");
  }
  if (!is_terminated(record.device)) {
    return fail(Errc::invalid_argument,
                "a port's device has at most 255 characters, as in net_tap0,iface=host0");
  }
  if (record.device[0] == '\0') return {};  // check_vlan() asks for its parent.
  if (record.rx_descriptors > descriptors_max || record.tx_descriptors > descriptors_max) {
    return fail(Errc::invalid_argument, "a queue has at most 32768 descriptors");
  }
  for (std::uint32_t id = 0; id < ports_.size(); ++id) {
    const auto& other = ports_[id];
    if (id == record.port.value || !other.present || will_go(other)) continue;
    if (device_name(other.record.add) == device_name(record)) {
      return fail(Errc::already_exists,
                  "another port has this device; number it differently (net_tap1)");
    }
  }
  return {};
}

base::Status Model::set(const contract::PortAdd& record) {
  if (record.port.value >= ports_.size()) {
    return fail(Errc::invalid_argument, "port number beyond the data plane's capacity");
  }
  if (auto status = check_device(record); !status) return status;
  const auto& current = ports_[record.port.value];
  if (current.present && !will_go(current)) {
    return fail(Errc::already_exists, "a port of this number exists; remove it first");
  }
  // Of a port that a replacement keeps, the settings count only when they are set again.
  remove_port(record.port.value);
  auto& slot = touch(ports_, ports_undo_, record.port.value);
  slot.present = true;
  slot.record = PortConfig{
      .add = record,
      .set = {.port = record.port, .role = PortRole::none, .transit_peer = base::no_port}};
  ++now_.ports;
  now_.digests.ports += contract::record_digest(record);
  return {};
}

base::Status Model::check_vlan_fields(const contract::PortSet& record) {
  if (record.vlan > contract::vlan_max || record.inner_vlan > contract::vlan_max) {
    return fail(Errc::invalid_argument, "a VLAN is 1 to 4094 (IEEE 802.1Q)");
  }
  if (record.parent != 0) {
    if (record.role != PortRole::tenant || record.vlan == 0) {
      return fail(Errc::invalid_argument, "a VLAN of another port is a tenant port and has a tag");
    }
  } else if (record.inner_vlan != 0 || (record.vlan != 0 && record.role != PortRole::underlay)) {
    return fail(Errc::invalid_argument,
                "only an underlay port has a VLAN of its own, and only one tag");
  }
  return {};
}

base::Status Model::set(const contract::PortSet& record) {
  if (!port_exists(record.port) || will_go(ports_[record.port.value])) {
    return fail(Errc::not_found, "no such port; add it first");
  }
  if (record.role > PortRole::host) {
    return fail(Errc::invalid_argument, "a port's role is none, underlay, tenant, transit or host");
  }
  if (record.neighbours > contract::NeighbourKeeper::kernel) {
    return fail(Errc::invalid_argument, "neighbours are kept by the device's, weir or kernel");
  }
  if (auto status = check_vlan_fields(record); !status) return status;
  if (record.mtu != 0 && record.mtu < mtu_min) {
    return fail(Errc::invalid_argument, "an MTU is at least 68 bytes (RFC 791)");
  }
  if (auto status = check_rate(record.rate, record.burst); !status) return status;
  if (record.reserved != 0) return fail(Errc::invalid_argument, "reserved fields must be zero");
  // That network and peer exist is checked at commit: they may follow in this transaction.
  if (record.network.value >= networks_.size()) {
    return fail(Errc::invalid_argument, "network number beyond the data plane's capacity");
  }
  if (record.transit_peer != base::no_port && record.transit_peer.value >= ports_.size()) {
    return fail(Errc::invalid_argument, "peer's number beyond the data plane's capacity");
  }
  if (record.parent > ports_.size()) {
    return fail(Errc::invalid_argument, "parent's number beyond the data plane's capacity");
  }
  if (record.transit_peer == record.port) {
    return fail(Errc::invalid_argument, "a port cannot be its own peer: frames would go back");
  }
  for (const contract::PortAddress& own : record.addresses) {
    if (!is_sound(own)) {
      return fail(Errc::invalid_argument, "a port's address is a host's, with a prefix length");
    }
  }
  auto& slot = touch(ports_, ports_undo_, record.port.value);
  if (slot.record.is_set) now_.digests.ports -= contract::record_digest(slot.record.set);
  slot.record.set = record;
  slot.record.is_set = true;
  now_.digests.ports += contract::record_digest(record);
  return {};
}

base::Status Model::set(const contract::NetworkSet& record) {
  if (record.network == base::no_network || record.network.value >= networks_.size()) {
    return fail(Errc::invalid_argument, "network number 0 or beyond --networks");
  }
  if (record.vni == 0 || record.vni > contract::vni_max) {
    return fail(Errc::invalid_argument, "a VNI is 1 to 16777215 (RFC 7348)");
  }
  if (record.flood_unknown_unicast > 1 || record.reserved != std::array<std::uint8_t, 3>{}) {
    return fail(Errc::invalid_argument, "flood_unknown_unicast is 0 or 1, reserved fields 0");
  }
  if (record.flood_vtep_count > contract::flood_vteps_max) {
    return fail(Errc::invalid_argument, "a network floods to at most 128 VTEPs");
  }
  for (std::size_t i = 0; i < record.flood_vteps.size(); ++i) {
    const base::VtepId vtep = record.flood_vteps[i];
    if (i >= record.flood_vtep_count) {
      if (vtep != base::no_vtep) {
        return fail(Errc::invalid_argument, "flood list is longer than its count");
      }
    } else if (!vtep_exists(vtep) || vteps_[vtep.value].record.kind != VtepKind::remote) {
      return fail(Errc::not_found, "the flood list names a VTEP that is no remote VTEP");
    }
  }
  if (auto taken = take_vni(record); !taken) return taken;
  auto& slot = touch(networks_, networks_undo_, record.network.value);
  if (slot.present) {
    if (slot.record.vni != record.vni) release_vni(slot.record);
    now_.digests.networks -= contract::record_digest(slot.record);
    --now_.networks;
  }
  slot.present = true;
  slot.record = record;
  ++now_.networks;
  now_.digests.networks += contract::record_digest(record);
  return {};
}

base::Status Model::take_vni(const contract::NetworkSet& record) {
  // From another network too, which may get another VNI later in this transaction: check_network()
  // sees at the commit whether two have the same.
  return tables_.network_by_vni.set(vni_key(record.vni), record.network.value, next_);
}

void Model::release_vni(const contract::NetworkSet& record) {
  const std::uint64_t key = vni_key(record.vni);
  // Another network may have taken it over already.
  if (tables_.network_by_vni.find_staged(key) != record.network.value) return;
  CHECK(tables_.network_by_vni.remove(key, next_).has_value());
}

base::Status Model::set(const contract::NextHopSet& record) {
  if (record.next_hop == base::no_next_hop || record.next_hop.value >= next_hops_.size()) {
    return fail(Errc::invalid_argument, "next hop number 0 or beyond --next-hops");
  }
  if (!port_exists(record.port)) return fail(Errc::not_found, "the next hop's port does not exist");
  const bool is_static = record.address == base::IpAddress{};
  if (is_static == record.mac.is_zero()) {
    return fail(Errc::invalid_argument, "a next hop has either a MAC or an address");
  }
  if (record.mac.is_group() || (!is_static && !is_host(record.address))) {
    return fail(Errc::invalid_argument, "a next hop's MAC or address is that of one host");
  }
  auto& slot = touch(next_hops_, next_hops_undo_, record.next_hop.value);
  if (slot.present) {
    now_.digests.vteps -= contract::record_digest(slot.record);
    --now_.next_hops;
  }
  slot.present = true;
  slot.record = record;
  ++now_.next_hops;
  now_.digests.vteps += contract::record_digest(record);
  return {};
}

base::Status Model::check_paths(const contract::VtepSet& record) const {
  const bool names_next_hops = record.next_hops[0] != base::no_next_hop;
  if (!names_next_hops && record.next_hops[1] != base::no_next_hop) {
    return fail(Errc::invalid_argument, "a VTEP's second next hop stands behind its first");
  }
  if (names_next_hops) {
    if (record.kind == VtepKind::local || record.port != base::no_port ||
        !record.next_hop_mac.is_zero()) {
      return fail(Errc::invalid_argument, "only a remote VTEP without port and MAC has next hops");
    }
    for (const base::NextHopId next_hop : record.next_hops) {
      if (next_hop == base::no_next_hop || next_hop_exists(next_hop)) continue;
      return fail(Errc::not_found, "the VTEP's next hop does not exist");
    }
    return {};
  }
  if (record.kind == VtepKind::local && record.port == base::no_port) return {};
  if (!port_exists(record.port)) return fail(Errc::not_found, "the VTEP's port does not exist");
  return {};
}

base::Status Model::check_fields(const contract::VtepSet& record) const {
  if (record.vtep == base::no_vtep || record.vtep.value >= vteps_.size()) {
    return fail(Errc::invalid_argument, "VTEP number 0 or beyond --vteps");
  }
  if (record.kind != VtepKind::local && record.kind != VtepKind::remote) {
    return fail(Errc::invalid_argument, "a VTEP is local or remote");
  }
  if (!record.address.is_unicast()) {
    return fail(Errc::invalid_argument, "a VTEP's address is a unicast address");
  }
  if (auto status = check_paths(record); !status) return status;
  if (record.kind == VtepKind::local) return {};

  if (record.dscp_mode > contract::DscpMode::pin || record.dscp > dscp_max) {
    return fail(Errc::invalid_argument, "DSCP is copied, or pinned to 0 to 63");
  }
  if (record.udp_checksum > contract::UdpChecksum::full || record.reserved != 0) {
    return fail(Errc::invalid_argument, "a UDP checksum is zero or full, reserved fields 0");
  }
  if (record.next_hop_mac.is_group()) {
    return fail(Errc::invalid_argument, "the next hop's MAC is a group address");
  }
  if (!vtep_exists(record.source) || vteps_[record.source.value].record.kind != VtepKind::local) {
    return fail(Errc::not_found, "the VTEP's source is no local VTEP");
  }
  return {};
}

base::Status Model::set(const contract::VtepSet& record) {
  if (auto status = check_fields(record); !status) return status;
  if (auto taken = take_address(record); !taken) return taken;
  auto& slot = touch(vteps_, vteps_undo_, record.vtep.value);
  if (slot.present) {
    if (slot.record.address != record.address) release_address(slot.record);
    now_.digests.vteps -= contract::record_digest(slot.record);
    --now_.vteps;
  }
  slot.present = true;
  slot.record = record;
  ++now_.vteps;
  now_.digests.vteps += contract::record_digest(record);
  return {};
}

base::Status Model::take_address(const contract::VtepSet& record) {
  // As with VNIs.
  return tables_.vtep_by_address.set(tables_.vtep_key(record.address), record.vtep.value, next_);
}

void Model::release_address(const contract::VtepSet& record) {
  const std::uint64_t key = tables_.vtep_key(record.address);
  if (tables_.vtep_by_address.find_staged(key) != record.vtep.value) return;
  CHECK(tables_.vtep_by_address.remove(key, next_).has_value());
}

base::Status Model::set(const contract::EndpointSet& record) {
  if (!network_exists(record.network)) return fail(Errc::not_found, "no such network");
  if (record.mac.is_group() || record.mac.is_zero()) {
    return fail(Errc::invalid_argument, "an endpoint's MAC is a unicast address");
  }
  if (record.reserved != 0) return fail(Errc::invalid_argument, "reserved fields must be zero");
  switch (record.place) {
    case contract::EndpointPlace::port:
      if (!port_exists(base::PortId{record.target})) {
        return fail(Errc::not_found, "the endpoint's port does not exist");
      }
      break;
    case contract::EndpointPlace::vtep:
      if (!vtep_exists(base::VtepId{record.target}) ||
          vteps_[record.target].record.kind != VtepKind::remote) {
        return fail(Errc::not_found, "the endpoint's VTEP is no remote VTEP");
      }
      break;
    default: return fail(Errc::invalid_argument, "an endpoint is at a port or behind a VTEP");
  }

  const std::uint64_t key = endpoint_key(record.network, record.mac);
  const std::uint32_t value = EndpointValue{record.place, record.target}.encode();
  const std::uint32_t before = tables_.endpoints.find_staged(key);
  if (auto status = tables_.endpoints.set(key, value, next_); !status) {
    if (status.error().code != Errc::table_full) return status;
    return fail(Errc::table_full, "the endpoint table is full; raise --endpoints");
  }
  if (before != no_value) count_endpoint(key, before, false);
  count_endpoint(key, value, true);
  return {};
}

void Model::count_endpoint(std::uint64_t key, std::uint32_t value, bool added) noexcept {
  // Unsigned arithmetic wraps, so that taking away is adding the negative.
  const std::uint64_t sign = added ? 1 : ~std::uint64_t{0};
  const std::uint64_t network = key >> 48;
  now_.digests.endpoints += sign * digest_of(key, value);
  now_.network_endpoints[network] += static_cast<std::uint32_t>(sign);
  const EndpointValue endpoint = EndpointValue::decode(value);
  if (endpoint.place == contract::EndpointPlace::vtep) {
    now_.vtep_endpoints[endpoint.target] += static_cast<std::uint32_t>(sign);
    return;
  }
  PortEndpoints& at_port = now_.port_endpoints[endpoint.target];
  at_port.count += sign;
  at_port.network_sum += sign * network;
  at_port.network_squares += sign * network * network;
}

base::Status Model::remove(const contract::PortRemove& record) {
  if (!port_exists(record.port)) return fail(Errc::not_found, "no such port");
  remove_port(record.port.value);
  return {};
}

void Model::remove_port(std::uint32_t id) {
  if (!ports_[id].present) return;
  auto& slot = touch(ports_, ports_undo_, id);
  now_.digests.ports -= contract::record_digest(slot.record.add);
  if (slot.record.is_set) now_.digests.ports -= contract::record_digest(slot.record.set);
  slot.present = false;
  slot.record = {};
  --now_.ports;
}

base::Status Model::remove(const contract::NetworkRemove& record) {
  if (!network_exists(record.network)) return fail(Errc::not_found, "no such network");
  remove_network(record.network.value);
  return {};
}

void Model::remove_network(std::uint32_t id) {
  auto& slot = touch(networks_, networks_undo_, id);
  release_vni(slot.record);
  now_.digests.networks -= contract::record_digest(slot.record);
  slot.present = false;
  slot.record = {};
  --now_.networks;
}

base::Status Model::remove(const contract::VtepRemove& record) {
  if (!vtep_exists(record.vtep)) return fail(Errc::not_found, "no such VTEP");
  remove_vtep(record.vtep.value);
  return {};
}

void Model::remove_vtep(std::uint32_t id) {
  auto& slot = touch(vteps_, vteps_undo_, id);
  release_address(slot.record);
  now_.digests.vteps -= contract::record_digest(slot.record);
  slot.present = false;
  slot.record = {};
  --now_.vteps;
}

base::Status Model::remove(const contract::NextHopRemove& record) {
  if (!next_hop_exists(record.next_hop)) return fail(Errc::not_found, "no such next hop");
  remove_next_hop(record.next_hop.value);
  return {};
}

void Model::remove_next_hop(std::uint32_t id) {
  auto& slot = touch(next_hops_, next_hops_undo_, id);
  now_.digests.vteps -= contract::record_digest(slot.record);
  slot.present = false;
  slot.record = {};
  --now_.next_hops;
}

base::Status Model::remove(const contract::EndpointRemove& record) {
  const std::uint64_t key = endpoint_key(record.network, record.mac);
  // Key 0 is no key; it could only come from a record without network and MAC.
  const std::uint32_t before = key == 0 ? no_value : tables_.endpoints.find_staged(key);
  if (before == no_value) return fail(Errc::not_found, "no such endpoint");
  if (auto status = tables_.endpoints.remove(key, next_); !status) return status;
  count_endpoint(key, before, false);
  return {};
}

}  // namespace dp
