// SPDX-License-Identifier: Apache-2.0
// VLANs of ports: the tag of an underlay port, and ports that are a VLAN of another port.
#include "controlplane/intent/judge.hpp"

#include <map>
#include <tuple>

namespace cp {
namespace {

// "VLAN 100 within 7" as people write it: 100.7.
std::string tags_of(const Port& port) {
  std::string tags = std::to_string(port.vlan.value_or(0));
  if (port.inner_vlan) tags += "." + std::to_string(*port.inner_vlan);
  return tags;
}

}  // namespace

bool Judge::has_vlans(const Port& port) const {
  return std::any_of(intent_.ports.begin(), intent_.ports.end(),
                     [&](const Port& other) { return other.parent == port.name; });
}

void Judge::judge_vlan_of(const Port& port) {
  if (!port.parent.empty()) {
    judge_parent_of(port);
    return;
  }
  if (port.device.empty()) {
    report(port, "device", "is missing; only a VLAN of another port (parent) has none",
           "e.g. device: net_tap0,iface=host0");
  }
  if (port.inner_vlan) {
    report(port, "inner_vlan", "only a VLAN of a tenant port (parent) has two tags");
  }
  if (!port.vlan) return;
  if (port.role == PortRole::underlay) {
    if (port.device.starts_with("xdp:")) {
      report(port, "vlan",
             "at an xdp underlay port frames with a tag stay with the kernel; give its "
             "NIC to DPDK, or let the kernel's VLAN interface be the xdp port");
    }
    return;
  }
  if (port.role == PortRole::transit) {
    report(port, "vlan", "a transit port's frames pass with the tags that they have");
  } else if (port.role == PortRole::host) {
    report(port, "vlan", "a host port is untagged; its peer has the VLAN, whose tag Weir gives");
  } else {
    report(port, "vlan", "a VLAN of a tenant port is a port of its own, with this one as parent",
           "{name: " + std::string(port.name.view()) + "." + tags_of(port) +
               ", role: tenant, parent: " + std::string(port.name.view()) +
               ", vlan: " + std::to_string(*port.vlan) + ", network: …}");
  }
}

void Judge::judge_parent_of(const Port& port) {
  const auto fits = [&](const Port& other) {
    return other.role == PortRole::tenant && other.parent.empty() && &other != &port;
  };
  if (port.role != PortRole::tenant) {
    report(port, "parent", "only a tenant port is a VLAN of another; this is " + a_port(port.role));
    return;
  }
  if (!port.device.empty()) {
    report(port, "device", "a VLAN has its parent's device, and none of its own");
  }
  if (!port.vlan) report(port, "vlan", "is missing: the tag by which the parent knows its frames");
  const auto none = [&](std::string_view field, bool given) {
    if (given) report(port, field, "belongs to the parent, which has the device");
  };
  none("rx_queues", port.rx_queues.has_value());
  none("rx_descriptors", port.rx_descriptors.has_value());
  none("tx_descriptors", port.tx_descriptors.has_value());

  const Port* parent = resolve(port, "parent", port.parent, ports_, fits);
  if (parent == nullptr) return;
  if (parent == &port) {
    report(port, "parent", "a port cannot be a VLAN of itself", only_name(intent_.ports, fits));
  } else if (parent->role != PortRole::tenant) {
    report(port, "parent",
           quoted(port.parent) + " is " + a_port(parent->role) + "; VLANs are of tenant ports",
           only_name(intent_.ports, fits));
  } else if (!parent->parent.empty()) {
    report(port, "parent",
           quoted(port.parent) + " is a VLAN itself; say its parent, and both tags here",
           std::string(parent->parent.view()));
  } else if (port.mtu && parent->mtu && *port.mtu > *parent->mtu) {
    report(port, "mtu", "is above the parent's", std::to_string(*parent->mtu));
  }
}

void Judge::judge_vlans() {
  std::map<std::tuple<std::string_view, std::uint16_t, std::uint16_t>, const Port*> seen;
  for (const Port& port : intent_.ports) {
    if (port.parent.empty() || !port.vlan) continue;
    const std::tuple key(port.parent.view(), *port.vlan, port.inner_vlan.value_or(0));
    const auto [at, is_new] = seen.emplace(key, &port);
    if (is_new) continue;
    report(port, "vlan",
           "port " + quoted(at->second->name) + " already is VLAN " + tags_of(port) + " of " +
               quoted(port.parent),
           {}, base::Errc::already_exists);
  }
}

}  // namespace cp
