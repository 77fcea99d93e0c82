// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/decapsulate.hpp"

#include "pipelines/tunnels/tunnels.hpp"

#include <cstring>

namespace dp {
namespace {

struct TunnelHeader {
  std::uint32_t vni;
  std::uint16_t bytes;
};

// By the UDP port; the list of tunnels decides at compile time.
template <class... Kinds>
std::expected<TunnelHeader, DropReason> read_tunnel(Packet packet, std::uint16_t offset,
                                                    be16 udp_destination, std::uint32_t room,
                                                    std::tuple<Kinds...>*) noexcept {
  std::expected<TunnelHeader, DropReason> result =
      std::unexpected(DropReason::udp_port_not_handled);
  const auto try_one = [&]<class Kind>(Kind*) {
    if (udp_destination != be16(Kind::udp_destination)) return false;
    if (room < std::uint32_t{Kind::header_bytes}) {
      result = std::unexpected(DropReason::frame_truncated);
    } else if (std::uint32_t{offset} + Kind::header_bytes > packet.contiguous()) {
      result = std::unexpected(DropReason::headers_segmented);
    } else if (const auto vni = Kind::read(packet.data() + offset); vni) {
      result = TunnelHeader{.vni = *vni, .bytes = Kind::header_bytes};
    } else {
      result = std::unexpected(vni.error());
    }
    return true;
  };
  (void)(try_one(static_cast<Kinds*>(nullptr)) || ...);
  return result;
}

}  // namespace

bool Decapsulate::is_vtep(be32 address, contract::VtepKind kind, VtepId& vtep) const noexcept {
  const base::Generation generation = environment_.generation;
  const std::uint32_t found =
      environment_.tables.vtep_by_address.lookup(vtep_key(address), generation);
  if (found == ExactMatch::no_value) return false;
  const VtepRecord* record = environment_.tables.vteps.find(found, generation);
  vtep = VtepId{static_cast<std::uint16_t>(found)};
  return record != nullptr && record->kind == kind;
}

Verdict Decapsulate::resolve(const Ipv4Header& ip, std::uint32_t vni,
                             Tunnel& tunnel) const noexcept {
  const base::Generation generation = environment_.generation;
  VtepId local;
  if (!is_vtep(ip.destination, contract::VtepKind::local, local)) {
    return DropReason::destination_not_local;
  }
  if (!is_vtep(ip.source, contract::VtepKind::remote, tunnel.source)) {
    return DropReason::unknown_vtep;
  }
  const std::uint32_t network = environment_.tables.network_by_vni.lookup(vni_key(vni), generation);
  if (network == ExactMatch::no_value) return DropReason::unknown_vni;
  tunnel.network = NetworkId{static_cast<std::uint16_t>(network)};
  tunnel.vni = vni;
  tunnel.generation = generation;
  return keep;
}

Verdict Decapsulate::handle(Packet packet) noexcept {
  PacketMeta& meta = packet.meta();
  const auto& outer = packet.header<UdpTunnelHeader>(0);
  constexpr std::uint16_t offset = sizeof(UdpTunnelHeader);
  const auto header = read_tunnel(packet, offset, outer.udp.destination,
                                  meta.l4_length - static_cast<std::uint32_t>(sizeof(UdpHeader)),
                                  static_cast<Tunnels*>(nullptr));
  if (!header) return header.error();

  std::uint64_t addresses;
  std::memcpy(&addresses, &outer.ip.source, sizeof addresses);
  if (addresses != last_.addresses || header->vni != last_.vni ||
      environment_.generation != last_.generation) {
    Tunnel tunnel;
    const Verdict verdict = resolve(outer.ip, header->vni, tunnel);
    if (verdict != keep) return verdict;
    tunnel.addresses = addresses;
    last_ = tunnel;
  }
  meta.network = last_.network;

  // Ethernet padding behind the outer packet is no part of the tenant's frame.
  const std::uint32_t frame_end = sizeof(EthernetHeader) + sizeof(Ipv4Header) + meta.l4_length;
  if (packet.length() > frame_end) [[unlikely]] {  // Only the shortest frames are padded.
    if (!packet.strip_back(packet.length() - frame_end)) return DropReason::headers_segmented;
  }
  const auto stripped = static_cast<std::uint16_t>(offset + header->bytes);
  if (!packet.strip_front(stripped)) return DropReason::headers_segmented;

  const std::uint32_t inner_bytes = packet.length();
  contract::NetworkCounters& network = environment_.counters.networks[meta.network.value];
  contract::add(network.decap_packets, 1);
  contract::add(network.decap_bytes, inner_bytes);
  contract::VtepCounters& vtep = environment_.counters.vteps[last_.source.value];
  contract::add(vtep.decap_packets, 1);
  contract::add(vtep.decap_bytes, inner_bytes);
  return keep;
}

}  // namespace dp
