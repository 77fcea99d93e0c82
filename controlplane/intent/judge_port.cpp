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
  judge_addresses_of(port);
  judge_neighbours_of(port);
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
    report(port, "network", "is missing: a tenant port carries the frames of one network",
           only_name(intent_.networks, [](const Network&) { return true; }));
    return;
  }
  resolve(port, "network", port.network, networks_, [](const Network&) { return true; });
}

void Judge::judge_peer_of(const Port& port) {
  if (port.role != PortRole::transit) {
    if (!port.peer.empty()) {
      report(port, "peer", "only a transit port has a peer; this is " + a_port(port.role));
    }
    return;
  }
  const auto fits = [&](const Port& other) {
    return other.role == PortRole::transit && &other != &port;
  };
  if (port.peer.empty()) {
    report(port, "peer", "is missing: a transit port's frames leave at its peer",
           only_name(intent_.ports, fits));
    return;
  }
  if (port.peer == port.name) {
    report(port, "peer", "a port cannot be its own peer", only_name(intent_.ports, fits));
    return;
  }
  const Port* peer = resolve(port, "peer", port.peer, ports_, fits);
  if (peer == nullptr) return;
  if (peer->role != PortRole::transit) {
    report(port, "peer",
           quoted(port.peer) + " is " + a_port(peer->role) +
               "; the peer of a transit port is a transit port");
  } else if (peer->peer != port.name) {
    report(port, "peer",
           "port " + quoted(port.peer) + " has the peer " + quoted(peer->peer) +
               "; peers name each other");
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
  if (!port.addresses.empty() && port.role == PortRole::tenant) {
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

// The part of the devargs in front of the first comma names the device.
void Judge::judge_devices() {
  ByName<Port> by_device;
  for (const Port& port : intent_.ports) {
    if (port.device.empty()) continue;  // Reported as missing.
    const std::string_view device = std::string_view(port.device).substr(0, port.device.find(','));
    const auto [at, is_new] = by_device.emplace(device, &port);
    if (!is_new) {
      report(port, "device",
             "port " + quoted(at->second->name) + " already has the device " + shown(device), {},
             base::Errc::already_exists);
    }
  }
}

}  // namespace cp
