// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/tag_frame.hpp"

#include "dataplane/packet/vlan.hpp"

namespace dp {

// Two tags are those of IEEE 802.1ad: a service tag outside, a customer tag inside.
bool TagFrame::push_tags(Packet packet, const PortRecord& port) noexcept {
  if (port.inner_vlan == 0) return push_tag(packet, ethertype::vlan, port.vlan);
  return push_tag(packet, ethertype::vlan, port.inner_vlan) &&
         push_tag(packet, ethertype::vlan_service, port.vlan);
}

Verdict TagFrame::finish(Packet packet) noexcept {
  PacketMeta& meta = packet.meta();
  const PortRecord* port = ports_.find(meta.out_port.value, environment_.generation);
  if (port == nullptr) return keep;  // transmit says what becomes of it.
  if (port->vlan == 0 && port->maps_vlans == 0) return keep;

  if (port->role == contract::PortRole::tenant) {
    // parse_frame has seen that tags are complete. One of priority only is none.
    if (ethertype::is_vlan(packet.header<EthernetHeader>(0).type) &&
        packet.header<VlanTag>(sizeof(EthernetHeader)).vid() == 0) {
      strip_tag(packet);
    }
    if (ethertype::is_vlan(packet.header<EthernetHeader>(0).type)) {
      return DropReason::network_frame_tagged;
    }
  }
  if (port->vlan == 0) return keep;
  if (!push_tags(packet, *port)) return DropReason::no_headroom;
  if (port->parent != base::no_port) {
    contract::PortCounters& counters = environment_.counters.ports[meta.out_port.value];
    contract::add(counters.tx_packets, 1);
    contract::add(counters.tx_bytes, packet.length());
    meta.out_port = port->parent;
  }
  return keep;
}

}  // namespace dp
