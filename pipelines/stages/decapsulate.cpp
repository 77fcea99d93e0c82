// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/decapsulate.hpp"

#include <cstddef>

namespace dp {
namespace {

base::IpAddress address_of(be32 address) noexcept {
  return base::IpAddress::from(address);
}
base::IpAddress address_of(const base::Ipv6Address& address) noexcept {
  return {address};
}

// ::ffff:0:0/96 never stands on the wire (RFC 4291 §2.5.5.2): it must not pass for IPv4.
bool may_stand_in(const Ipv4Header&, const base::IpAddress&) noexcept {
  return true;
}
bool may_stand_in(const Ipv6Header&, const base::IpAddress& address) noexcept {
  return !address.is_v4();
}

}  // namespace

bool Decapsulate::is_vtep(const base::IpAddress& address, contract::VtepKind kind,
                          VtepId& vtep) const noexcept {
  const base::Generation generation = environment_.generation;
  const Tables& tables = environment_.tables;
  const std::uint32_t found = tables.vtep_by_address.lookup(tables.vtep_key(address), generation);
  if (found == ExactMatch::no_value) return false;
  const VtepRecord* record = tables.vteps.find(found, generation);
  vtep = VtepId{static_cast<std::uint16_t>(found)};
  return record != nullptr && record->kind == kind && record->address == address;
}

Verdict Decapsulate::refuse(DropReason reason) const noexcept {
  if (environment_.in_port->twin == base::no_port) return reason;
  const bool is_no_tunnels =
      reason == DropReason::udp_port_not_handled || reason == DropReason::destination_not_local;
  return is_no_tunnels ? divert : reason;
}

template <class Ip>
Verdict Decapsulate::read(Packet packet, Tunnel<Ip>& tunnel) noexcept {
  using Outer = UdpTunnelHeader<Ip>;
  const auto& outer = packet.header<Outer>(0);
  const TunnelHeader header =
      read_tunnel(packet, sizeof(Outer), outer.udp.destination,
                  packet.meta().l4_length - static_cast<std::uint32_t>(sizeof(UdpHeader)),
                  static_cast<Tunnels*>(nullptr));
  if (header.verdict != keep) return header.verdict;

  const base::Generation generation = environment_.generation;
  const base::IpAddress destination = address_of(outer.ip.destination);
  const base::IpAddress source = address_of(outer.ip.source);
  VtepId local;
  VtepId remote;
  if (!may_stand_in(outer.ip, destination) ||
      !is_vtep(destination, contract::VtepKind::local, local)) {
    return DropReason::destination_not_local;
  }
  if (!may_stand_in(outer.ip, source) || !is_vtep(source, contract::VtepKind::remote, remote)) {
    return DropReason::unknown_vtep;
  }
  const std::uint32_t network =
      environment_.tables.network_by_vni.lookup(vni_key(header.vni), generation);
  if (network == ExactMatch::no_value) return DropReason::unknown_vni;
  count(tunnel);
  tunnel = {.generation = generation,
            .contiguous_min = Tunnel<Ip>::end,
            .stripped = static_cast<std::uint16_t>(sizeof(Outer) + header.bytes),
            .summed = environment_.tables.vteps.find(remote.value, generation)->form ==
                      OuterForm::ipv6_summed,
            .network = NetworkId{static_cast<std::uint16_t>(network)},
            .source = remote};
  remember(packet.data(), header.mask, tunnel);
  return keep;
}

// Addresses, UDP port and what the tunnel's header was read for.
template <class Ip>
void Decapsulate::remember(const std::uint8_t* frame, std::span<const std::uint8_t> mask,
                           Tunnel<Ip>& tunnel) noexcept {
  using Outer = UdpTunnelHeader<Ip>;
  const auto ask = [&](std::size_t position, std::uint8_t bits) {
    const std::uint8_t wanted = frame[position];
    if (position >= tunnel.patterns_start) {
      tunnel.behind.ask(position - tunnel.patterns_start, wanted, bits);
    } else if constexpr (Tunnel<Ip>::has_two) {
      tunnel.before.ask(position - tunnel.addresses, wanted, bits);
    }
  };
  constexpr std::size_t address_bytes = sizeof(Ip::source) + sizeof(Ip::destination);
  constexpr std::size_t port = offsetof(Outer, udp) + offsetof(UdpHeader, destination);
  for (std::size_t i = 0; i < address_bytes; ++i) ask(tunnel.addresses + i, 0xff);
  for (std::size_t i = 0; i < sizeof(UdpHeader::destination); ++i) ask(port + i, 0xff);
  for (std::size_t i = 0; i < mask.size(); ++i) ask(sizeof(Outer) + i, mask[i]);
}

template <class Ip>
void Decapsulate::count(Tunnel<Ip>& tunnel) noexcept {
  if (tunnel.packets == 0) return;
  contract::NetworkCounters& network = environment_.counters.networks[tunnel.network.value];
  contract::VtepCounters& source = environment_.counters.vteps[tunnel.source.value];
  contract::add(network.decap_packets, tunnel.packets);
  contract::add(network.decap_bytes, tunnel.bytes);
  contract::add(source.decap_packets, tunnel.packets);
  contract::add(source.decap_bytes, tunnel.bytes);
  tunnel.packets = 0;
  tunnel.bytes = 0;
}

template Verdict Decapsulate::read(Packet packet, Tunnel<Ipv4Header>& tunnel) noexcept;
template void Decapsulate::count(Tunnel<Ipv4Header>& tunnel) noexcept;
template void Decapsulate::count(Tunnel<Ipv6Header>& tunnel) noexcept;

Verdict Decapsulate::strip_ipv6(Packet packet) noexcept {
  return strip(packet, last_ipv6_);
}

}  // namespace dp
