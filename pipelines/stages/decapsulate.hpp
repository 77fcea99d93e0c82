// SPDX-License-Identifier: Apache-2.0
// decapsulate: is the packet for a VTEP of ours, from a VTEP we know, of a network we have? Then
// the tunnel's headers come off, and what remains is the tenant's frame.
#pragma once

#include "dataplane/packet/udp_tunnel.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/tunnels/tunnels.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

namespace dp {

// What stands behind the outer UDP header, or why it is not to be believed.
struct TunnelHeader {
  std::uint32_t vni;
  std::uint16_t bytes;
  Verdict verdict;
};

// By the UDP port; the list of tunnels decides at compile time.
template <class... Kinds>
TunnelHeader read_tunnel(Packet packet, std::uint16_t offset, be16 udp_destination,
                         std::uint32_t room, std::tuple<Kinds...>*) noexcept {
  TunnelHeader result{.vni = 0, .bytes = 0, .verdict = DropReason::udp_port_not_handled};
  const auto try_one = [&]<class Kind>(Kind*) {
    if (udp_destination != be16(Kind::udp_destination)) return false;
    result.bytes = Kind::header_bytes;
    result.verdict = DropReason::frame_truncated;
    if (room >= std::uint32_t{Kind::header_bytes} &&
        std::uint32_t{offset} + Kind::header_bytes <= packet.contiguous()) {
      result.verdict = Kind::read(packet.data() + offset, result.vni);
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
                   DropReason::frame_truncated, DropReason::vxlan_bad_flags,
                   DropReason::unknown_vni, DropReason::unknown_vtep,
                   DropReason::udp_checksum_missing}};

  explicit Decapsulate(const Environment& environment) noexcept : environment_(environment) {}

  Verdict handle(Packet packet) noexcept {
    if (packet.meta().l4 != offsetof(UdpTunnelHeader<Ipv4Header>, udp)) [[unlikely]]
      return strip_ipv6(packet);  // Costs it a call.
    return strip(packet, last_ipv4_);
  }
  void end_batch() noexcept {
    count(last_ipv4_);
    count(last_ipv6_);
  }

 private:
  // Source and destination as they lie in the header.
  template <class Ip>
  struct Addresses {
    static constexpr std::size_t size = sizeof(Ip::source) + sizeof(Ip::destination);
    std::array<std::uint8_t, size> bytes;

    // The builtin becomes one comparison for IPv4.
    bool are(const Ip& ip) const noexcept {
      return __builtin_memcmp(bytes.data(), &ip.source, size) == 0;
    }
  };

  // What the last tunnel led to. Packets of one tunnel come in runs, and this spares three lookups;
  // they are counted together.
  template <class Ip>
  struct Tunnel {
    base::Generation generation = 0;
    Addresses<Ip> addresses{};
    std::uint32_t vni = 0xffff'ffff;
    bool summed = false;  // Over IPv6: no packet without a UDP checksum.
    NetworkId network = base::no_network;
    std::uint64_t packets = 0;
    VtepId source = base::no_vtep;
    std::uint64_t bytes = 0;
  };
  template <class Ip>
  void count(Tunnel<Ip>& tunnel) noexcept;

  Verdict strip_ipv6(Packet packet) noexcept;
  // What is no tunnel packet for a VTEP here is the host's, where that has a twin of the port.
  Verdict refuse(DropReason reason) const noexcept;

  template <class Ip>
  Verdict strip(Packet packet, Tunnel<Ip>& last) noexcept {
    using Outer = UdpTunnelHeader<Ip>;
    PacketMeta& meta = packet.meta();
    const auto& outer = packet.header<Outer>(0);
    constexpr std::uint16_t offset = sizeof(Outer);
    const TunnelHeader header =
        read_tunnel(packet, offset, outer.udp.destination,
                    meta.l4_length - static_cast<std::uint32_t>(sizeof(UdpHeader)),
                    static_cast<Tunnels*>(nullptr));
    if (header.verdict != keep) [[unlikely]]
      return refuse(header.verdict);

    if (!last.addresses.are(outer.ip) || header.vni != last.vni ||
        environment_.generation != last.generation) [[unlikely]] {
      const Verdict verdict = resolve(outer.ip, header.vni, last);
      if (verdict != keep) return refuse(verdict);
    }
    if constexpr (std::is_same_v<Ip, Ipv6Header>) {
      if (last.summed && outer.udp.checksum == be16(0)) return DropReason::udp_checksum_missing;
    }

    // Ethernet padding behind the outer packet is no part of the tenant's frame.
    const std::uint32_t frame_end = offsetof(Outer, udp) + meta.l4_length;
    if (packet.length() > frame_end) [[unlikely]] {  // Only the shortest frames are padded.
      packet.strip_back(packet.length() - frame_end);
    }
    // All of it is in the first buffer: read_tunnel has seen its end.
    packet.strip_front(static_cast<std::uint16_t>(offset + header.bytes));
    meta.network = last.network;
    meta.source_vtep = last.source;
    last.packets += 1;
    last.bytes += packet.length();
    return keep;
  }

  // Finds source, destination and network, or says which of them is not known, and leaves `tunnel`
  // as it was.
  template <class Ip>
  Verdict resolve(const Ip& ip, std::uint32_t vni, Tunnel<Ip>& tunnel) noexcept;
  bool is_vtep(const base::IpAddress& address, contract::VtepKind kind,
               VtepId& vtep) const noexcept;

  const Environment& environment_;
  Tunnel<Ipv4Header> last_ipv4_;
  Tunnel<Ipv6Header> last_ipv6_;
};

}  // namespace dp
