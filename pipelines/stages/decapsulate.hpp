// SPDX-License-Identifier: Apache-2.0
// decapsulate: is the packet for a VTEP of ours, from a VTEP we know, of a network we have? Then
// the tunnel's headers come off, and what remains is the tenant's frame.
#pragma once

#include "dataplane/packet/pattern.hpp"
#include "dataplane/packet/udp_tunnel.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/tunnels/tunnels.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>

namespace dp {

// What stands behind the outer UDP header, or why it is not to be believed.
struct TunnelHeader {
  std::uint32_t vni;
  std::uint16_t bytes;
  Verdict verdict;
  std::span<const std::uint8_t> mask;  // Of the bits that were looked at.
};

// By the UDP port; the list of tunnels decides at compile time.
template <class... Kinds>
TunnelHeader read_tunnel(Packet packet, std::uint16_t offset, be16 udp_destination,
                         std::uint32_t room, std::tuple<Kinds...>*) noexcept {
  TunnelHeader result{
      .vni = 0, .bytes = 0, .verdict = DropReason::udp_port_not_handled, .mask = {}};
  const auto try_one = [&]<class Kind>(Kind*) {
    if (udp_destination != be16(Kind::udp_destination)) return false;
    result.bytes = Kind::header_bytes;
    result.mask = Kind::mask;
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
  // What another generation's tables said is forgotten.
  void begin_batch() noexcept {
    forget(last_ipv4_);
    forget(last_ipv6_);
  }
  void end_batch() noexcept {
    count(last_ipv4_);
    count(last_ipv6_);
  }

 private:
  // What the last tunnel led to. Packets of one tunnel come in runs, which spares them reading its
  // header and three lookups; they are counted together.
  template <class Ip>
  struct Tunnel {
    using Outer = UdpTunnelHeader<Ip>;
    // Of the outer headers and the tunnel's, from the source address on: IPv6 takes two.
    static constexpr std::size_t end = sizeof(Outer) + tunnel_header_bytes_max;
    static constexpr std::size_t addresses = offsetof(Outer, ip) + offsetof(Ip, source);
    static constexpr std::size_t patterns_start = end - Pattern::size;
    static constexpr bool has_two = addresses < patterns_start;

    bool matches(const std::uint8_t* frame) const noexcept {
      if (!behind.matches(frame + patterns_start)) return false;
      if constexpr (has_two) return before.matches(frame + addresses);
      return true;
    }

    base::Generation generation = 0;
    // Bytes that are looked at. No frame has as many as this: no tunnel is known.
    std::uint32_t contiguous_min = UINT32_MAX;
    std::uint16_t stripped = 0;  // Bytes of all headers.
    bool summed = false;         // Over IPv6: no packet without a UDP checksum.
    NetworkId network = base::no_network;
    VtepId source = base::no_vtep;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    Pattern behind{};
    Pattern before{};
  };
  template <class Ip>
  void count(Tunnel<Ip>& tunnel) noexcept;
  template <class Ip>
  void forget(Tunnel<Ip>& tunnel) const noexcept {
    if (tunnel.generation != environment_.generation) tunnel.contiguous_min = UINT32_MAX;
  }

  Verdict strip_ipv6(Packet packet) noexcept;
  // What is no tunnel packet for a VTEP here is the host's, where that has a twin of the port.
  Verdict refuse(DropReason reason) const noexcept;

  template <class Ip>
  Verdict strip(Packet packet, Tunnel<Ip>& last) noexcept {
    using Outer = UdpTunnelHeader<Ip>;
    PacketMeta& meta = packet.meta();
    const bool is_known = packet.contiguous() >= last.contiguous_min &&
                          meta.l4_length >= sizeof(UdpHeader) + tunnel_header_bytes_max &&
                          last.matches(packet.data());
    if (!is_known) [[unlikely]] {  // Once a run.
      const Verdict verdict = read(packet, last);
      if (verdict != keep) return refuse(verdict);
    }
    const auto& outer = packet.header<Outer>(0);
    if constexpr (std::is_same_v<Ip, Ipv6Header>) {
      if (last.summed && outer.udp.checksum == be16(0)) return DropReason::udp_checksum_missing;
    }

    // Ethernet padding behind the outer packet is no part of the tenant's frame.
    const std::uint32_t frame_end = offsetof(Outer, udp) + meta.l4_length;
    if (packet.length() > frame_end) [[unlikely]] {  // Only the shortest frames are padded.
      packet.strip_back(packet.length() - frame_end);
    }
    packet.strip_front(last.stripped);  // All of it is in the first buffer.
    meta.network = last.network;
    meta.source_vtep = last.source;
    last.packets += 1;
    last.bytes += packet.length();
    return keep;
  }

  // Finds source, destination and network, or says which of them is not known, and leaves `tunnel`
  // as it was.
  template <class Ip>
  Verdict read(Packet packet, Tunnel<Ip>& tunnel) noexcept;
  template <class Ip>
  static void remember(const std::uint8_t* frame, std::span<const std::uint8_t> mask,
                       Tunnel<Ip>& tunnel) noexcept;
  bool is_vtep(const base::IpAddress& address, contract::VtepKind kind,
               VtepId& vtep) const noexcept;

  const Environment& environment_;
  Tunnel<Ipv4Header> last_ipv4_;
  Tunnel<Ipv6Header> last_ipv6_;
};

}  // namespace dp
