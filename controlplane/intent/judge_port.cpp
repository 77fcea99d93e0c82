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
