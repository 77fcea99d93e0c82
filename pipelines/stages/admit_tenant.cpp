// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/admit_tenant.hpp"

#include "dataplane/packet/vlan.hpp"

#include <expected>

namespace dp {
namespace {

constexpr std::uint16_t first_tag = sizeof(EthernetHeader);
constexpr std::uint16_t second_tag = first_tag + sizeof(VlanTag);

struct Tags {
  std::uint16_t count = 0;
  std::uint16_t vlan = 0;
  std::uint16_t inner_vlan = 0;
};

// One customer tag, or a service tag and a customer tag (IEEE 802.1ad); a single tag of VID 0 has
// only a priority. Everything else is nobody's VLAN.
std::expected<Tags, DropReason> read_tags(Packet packet) noexcept {
  const be16 type = packet.header<EthernetHeader>(0).type;
  if (!ethertype::is_vlan(type)) return Tags{};
  if (packet.contiguous() < second_tag) return std::unexpected(DropReason::frame_truncated);
  const auto& outer = packet.header<VlanTag>(first_tag);
  if (!ethertype::is_vlan(outer.type)) {
    if (outer.vid() != 0 && type != be16(ethertype::vlan)) {
      return std::unexpected(DropReason::unknown_vlan);
    }
    return Tags{.count = 1, .vlan = outer.vid()};
  }

  if (packet.contiguous() < second_tag + sizeof(VlanTag)) {
    return std::unexpected(DropReason::frame_truncated);
  }
  const auto& inner = packet.header<VlanTag>(second_tag);
  const bool is_stacked =
      type == be16(ethertype::vlan_service) && outer.type == be16(ethertype::vlan);
  if (!is_stacked || outer.vid() == 0 || inner.vid() == 0 || ethertype::is_vlan(inner.type)) {
    return std::unexpected(DropReason::unknown_vlan);
  }
  return Tags{.count = 2, .vlan = outer.vid(), .inner_vlan = inner.vid()};
}

}  // namespace

Verdict AdmitTenant::admit_by_tags(Packet packet) const noexcept {
  const PortRecord& port = *environment_.in_port;
  if (port.maps_vlans == 0) return DropReason::port_without_network;
  const auto tags = read_tags(packet);
  if (!tags) return tags.error();

  PacketMeta& meta = packet.meta();
  if (tags->vlan == 0) {
    if (port.untagged_network == base::no_network) return DropReason::port_without_network;
    if (tags->count > 0) strip_tag(packet);
    meta.network = port.untagged_network;
    return keep;
  }
  const Tables& tables = environment_.tables;
  const std::uint32_t found = tables.port_by_vlan.lookup(
      vlan_key(meta.in_port, tags->vlan, tags->inner_vlan), environment_.generation);
  const PortRecord* vlan_port = tables.ports.find(found, environment_.generation);
  if (vlan_port == nullptr) return DropReason::unknown_vlan;
  if (vlan_port->network == base::no_network) return DropReason::port_without_network;

  // From here on it is a frame of that port, and counted there too.
  meta.in_port = PortId{static_cast<std::uint16_t>(found)};
  meta.network = vlan_port->network;
  contract::PortCounters& counters = environment_.counters.ports[found];
  contract::add(counters.rx_packets, 1);
  contract::add(counters.rx_bytes, packet.length());
  for (std::uint16_t i = 0; i < tags->count; ++i) strip_tag(packet);
  return keep;
}

}  // namespace dp
