// SPDX-License-Identifier: Apache-2.0
// decapsulate: is the packet for a VTEP of ours, from a VTEP we know, of a network we have? Then
// the tunnel's headers come off, and what remains is the tenant's frame.
#pragma once

#include "dataplane/packet/udp_tunnel.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/tunnels/tunnels.hpp"

#include <cstring>
#include <expected>
#include <tuple>

namespace dp {

// What stands behind the outer UDP header.
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

class Decapsulate {
 public:
  static constexpr StageInfo info{
      .name = "decapsulate",
      .needs = {Fact::outer_parsed},
      .sets = {Fact::network},
      .may_drop = {DropReason::destination_not_local, DropReason::udp_port_not_handled,
                   DropReason::frame_truncated, DropReason::headers_segmented,
                   DropReason::vxlan_bad_flags, DropReason::unknown_vni, DropReason::unknown_vtep}};

  explicit Decapsulate(const Environment& environment) noexcept : environment_(environment) {}

  Verdict handle(Packet packet) noexcept {
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
        environment_.generation != last_.generation) [[unlikely]] {
      Tunnel tunnel;
      const Verdict verdict = resolve(outer.ip, header->vni, tunnel);
      if (verdict != keep) return verdict;
      tunnel.addresses = addresses;
      last_ = tunnel;
    }

    // Ethernet padding behind the outer packet is no part of the tenant's frame.
    const std::uint32_t frame_end = sizeof(EthernetHeader) + sizeof(Ipv4Header) + meta.l4_length;
    if (packet.length() > frame_end) [[unlikely]] {  // Only the shortest frames are padded.
      if (!packet.strip_back(packet.length() - frame_end)) return DropReason::headers_segmented;
    }
    const auto stripped = static_cast<std::uint16_t>(offset + header->bytes);
    if (!packet.strip_front(stripped)) return DropReason::headers_segmented;
    meta.network = last_.network;

    const std::uint32_t inner_bytes = packet.length();
    contract::add(last_.network_counters->decap_packets, 1);
    contract::add(last_.network_counters->decap_bytes, inner_bytes);
    contract::add(last_.source_counters->decap_packets, 1);
    contract::add(last_.source_counters->decap_bytes, inner_bytes);
    return keep;
  }

 private:
  // What the last tunnel led to. Packets of one tunnel come in runs, and this spares three lookups.
  struct Tunnel {
    base::Generation generation = 0;
    std::uint64_t addresses = 0;  // Source and destination as they lie in the header.
    std::uint32_t vni = 0xffff'ffff;
    NetworkId network = base::no_network;
    contract::NetworkCounters* network_counters = nullptr;
    contract::VtepCounters* source_counters = nullptr;
  };

  // Finds source, destination and network, or says which of them is not known.
  Verdict resolve(const Ipv4Header& ip, std::uint32_t vni, Tunnel& tunnel) const noexcept;
  bool is_vtep(be32 address, contract::VtepKind kind, VtepId& vtep) const noexcept;

  const Environment& environment_;
  Tunnel last_;
};

}  // namespace dp
