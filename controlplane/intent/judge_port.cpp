// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/judge.hpp"

#include <bit>

namespace cp {

void Judge::judge(const Port& port) {
  judge_fields(port);
  judge_descriptors(port, "rx_descriptors", port.rx_descriptors);
  judge_descriptors(port, "tx_descriptors", port.tx_descriptors);
  judge_network_of(port);
  judge_peer_of(port);
  judge_twin_device(port);
  judge_addresses_of(port);
  judge_vlan_of(port);
  judge_neighbours_of(port);
  judge_rate_of(port);
}

void Judge::judge_neighbours_of(const Port& port) {
  if (!port.neighbours || port.role == PortRole::underlay) return;
  report(
      port, "neighbours",
      "only an underlay port has neighbours that somebody asks for; this is " + a_port(port.role));
}

void Judge::judge_descriptors(const Port& port, std::string_view field,
                              std::optional<std::uint16_t> descriptors) {
  if (!descriptors || std::has_single_bit(*descriptors)) return;
  const std::uint64_t power =
      std::bit_floor(std::max<std::uint64_t>(*descriptors, descriptors_min));
  report(port, field, "must be a power of two, not " + std::to_string(*descriptors),
         std::to_string(power));
}

void Judge::judge_network_of(const Port& port) {
  if (port.role != PortRole::tenant) {
    if (!port.network.empty()) {
      report(port, "network", "only a tenant port has a network; this is " + a_port(port.role));
    }
    return;
  }
  if (port.network.empty()) {
    if (has_vlans(port)) return;  // Then untagged frames are nobody's.
    report(port, "network", "is missing: a tenant port carries the frames of one network",
           only_name(intent_.networks, [](const Network&) { return true; }));
    return;
  }
  resolve(port, "network", port.network, networks_, [](const Network&) { return true; });
}

void Judge::judge_peer_of(const Port& port) {
  const bool is_host = port.role == PortRole::host;
  if (!is_host && port.role != PortRole::transit) {
    if (!port.peer.empty()) {
      report(port, "peer", "only a transit or host port has a peer; this is " + a_port(port.role));
    }
    return;
  }
  const auto fits = [&](const Port& other) {
    return other.role == (is_host ? PortRole::underlay : PortRole::transit) && &other != &port;
  };
  if (port.peer.empty()) {
    report(port, "peer",
           "is missing: " + a_port(port.role) +
               (is_host ? " is the twin of an underlay port" : "'s frames leave at its peer"),
           only_name(intent_.ports, fits));
    return;
  }
  if (port.peer == port.name) {
    report(port, "peer", "a port cannot be its own peer", only_name(intent_.ports, fits));
    return;
  }
  const Port* peer = resolve(port, "peer", port.peer, ports_, fits);
  if (peer != nullptr) judge_peering(port, *peer);
}

namespace {

// An xdp port leaves what is not Weir's to the kernel, and af_packet shows it every frame.
bool kernel_shares(const Port& port) noexcept {
  return port.device.starts_with("xdp:") || port.device.starts_with("net_af_packet");
}

}  // namespace

void Judge::judge_peering(const Port& port, const Port& peer) {
  const PortRole wanted = port.role == PortRole::host ? PortRole::underlay : PortRole::transit;
  if (peer.role != wanted) {
    report(port, "peer",
           quoted(port.peer) + " is " + a_port(peer.role) + "; the peer of " + a_port(port.role) +
               " is " + a_port(wanted));
  } else if (port.role == PortRole::host && kernel_shares(peer)) {
    report(port, "peer",
           quoted(port.peer) +
               " stands on an interface by which the kernel gets its frames "
               "already: it needs no twin");
  } else if (port.role == PortRole::transit && peer.peer != port.name) {
    report(port, "peer",
           "port " + quoted(port.peer) + " has the peer " + quoted(peer.peer) +
               "; peers name each other");
  } else if (port.role == PortRole::host && port.mtu.value_or(0) > peer.mtu.value_or(mtu_max)) {
    report(port, "mtu",
           "is larger than that of its peer " + quoted(port.peer) + ", where it leaves",
           std::to_string(*peer.mtu));
  }
}

// Of all devices it is a TAP of ours that takes the peer's MAC and lets the kernel leave checksums
// and segmentation to it.
void Judge::judge_twin_device(const Port& port) {
  if (port.role != PortRole::host || port.device.empty() || port.device.starts_with("tap:")) return;
  report(port, "device", "is no TAP: a host port is an interface of this gateway's kernel",
         "tap:" + std::string(port.name.view()));
}

// The kernel has one twin of a port, or it would not know which address is whose.
void Judge::judge_twins() {
  ByName<Port> by_peer;
  for (const Port& port : intent_.ports) {
    if (port.role != PortRole::host || port.peer.empty()) continue;
    const auto [at, is_new] = by_peer.emplace(port.peer.view(), &port);
    if (is_new) continue;
    report(port, "peer", quoted(port.peer) + " already has the twin " + quoted(at->second->name),
           {}, base::Errc::already_exists);
  }
}

namespace {

// All bits behind the prefix are equal to `bit`.
bool rest_is(const LinkAddress& own, bool bit) noexcept {
  const int offset = own.address.is_v4() ? 96 : 0;
  for (int i = offset + own.prefix_length; i < 128; ++i) {
    const bool is_set = (own.address.v6.bytes[i / 8] >> (7 - i % 8) & 1) != 0;
    if (is_set != bit) return false;
  }
  return true;
}

}  // namespace

void Judge::judge_addresses_of(const Port& port) {
  if (!port.addresses.empty() && (port.role == PortRole::tenant || port.role == PortRole::host)) {
    report(port, "addresses",
           "only underlay and transit ports have addresses; this is " + a_port(port.role));
    return;
  }
  if (port.addresses.size() > contract::port_addresses_max) {
    report(port, "addresses",
           "has " + std::to_string(port.addresses.size()) + " addresses; a port has at most " +
               std::to_string(contract::port_addresses_max));
    return;
  }
  for (std::size_t i = 0; i < port.addresses.size(); ++i) {
    const LinkAddress& own = port.addresses[i];
    const std::string text = text_of(own).text;
    const auto before = port.addresses.begin() + static_cast<std::ptrdiff_t>(i);
    const auto is_same = [&](const LinkAddress& other) {
      return other.address == own.address;
    };
    const bool is_v4 = own.address.is_v4();
    if (own.prefix_length == 0 || own.prefix_length > (is_v4 ? 32 : 128)) {
      report(port, "addresses", "must have prefix lengths of 1..32 or, with IPv6, 1..128: " + text);
    } else if (!own.address.is_unicast() && !own.address.is_link_local()) {
      report(port, "addresses", "must be addresses of one host, not " + text);
    } else if (std::any_of(port.addresses.begin(), before, is_same)) {
      report(port, "addresses", "has " + base::to_string(own.address) + " twice");
    } else if (own.prefix_length < (is_v4 ? 31 : 127) &&  // Links of two have neither (RFC 3021).
               rest_is(own, false)) {
      report(port, "addresses",
             text +
                 (is_v4 ? " is the address of the network" : " is the routers' anycast address") +
                 "; give the one of this gateway in it");
    } else if (is_v4 && own.prefix_length < 31 && rest_is(own, true)) {
      report(port, "addresses",
             text + " is the broadcast address of the network; give the one of this gateway in it");
    }
  }
}

// On two links there may be the same link-local address, but no other.
void Judge::judge_own_addresses() {
  std::vector<std::pair<base::IpAddress, const Port*>> owners;
  for (const Port& port : intent_.ports) {
    for (const LinkAddress& own : port.addresses) {
      if (own.address.is_link_local()) continue;
      owners.emplace_back(own.address, &port);
    }
  }
  std::stable_sort(owners.begin(), owners.end(),
                   [](const auto& l, const auto& r) { return l.first < r.first; });
  for (std::size_t i = 1; i < owners.size(); ++i) {
    const auto& [address, port] = owners[i];
    if (owners[i - 1].first != address || owners[i - 1].second == port) continue;
    report(
        *port, "addresses",
        "port " + quoted(owners[i - 1].second->name) + " already has " + base::to_string(address),
        {}, base::Errc::already_exists);
  }
}

namespace {

// The kernel's interface that a device takes or makes, as its name says; empty: none.
std::string_view interface_of(std::string_view device) noexcept {
  const std::string_view name = device.substr(0, device.find(','));
  for (const std::string_view prefix : {"xdp:", "tap:"}) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  const std::string_view driver = name.substr(0, name.find_last_not_of("0123456789") + 1);
  if (driver != "net_tap" && driver != "net_tun" && driver != "net_af_packet" &&
      driver != "net_af_xdp" && driver != "net_virtio_user") {
    return {};
  }
  constexpr std::string_view key = ",iface=";
  const std::size_t at = device.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view value = device.substr(at + key.size());
  return value.substr(0, value.find(','));
}

}  // namespace

// The part of the devargs in front of the first comma names the device. On one interface each of
// two ports would take frames of the other.
void Judge::judge_devices() {
  ByName<Port> by_device;
  ByName<Port> by_interface;
  for (const Port& port : intent_.ports) {
    if (port.device.empty()) continue;  // Reported as missing.
    const std::string_view device = std::string_view(port.device).substr(0, port.device.find(','));
    const auto [at, is_new] = by_device.emplace(device, &port);
    if (!is_new) {
      report(port, "device",
             "port " + quoted(at->second->name) + " already has the device " + shown(device), {},
             base::Errc::already_exists);
      continue;
    }
    const std::string_view interface = interface_of(port.device);
    if (interface.empty()) continue;
    const auto [on, is_first] = by_interface.emplace(interface, &port);
    if (!is_first) {
      report(port, "device",
             "port " + quoted(on->second->name) + " already stands on the interface " +
                 shown(interface),
             {}, base::Errc::already_exists);
    }
  }
}

}  // namespace cp
