// SPDX-License-Identifier: Apache-2.0
// encapsulate: the prepared headers of the remote VTEP go in front of the frame. ECN comes from the
// tenant's packet in normal mode (RFC 6040 §4.1), DSCP from it or pinned, entropy from its flow.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/packet/ecn.hpp"
#include "dataplane/packet/udp_tunnel.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/stages/flow_hash.hpp"
#include "pipelines/tunnels/ecn.hpp"
#include "pipelines/tunnels/tunnels.hpp"

#include <cstring>
#include <type_traits>

namespace dp {

struct Encapsulate {
  static constexpr StageInfo info{
      .name = "encapsulate",
      .needs = {Fact::network, Fact::parsed, Fact::kind, Fact::next_hop},
      .sets = {Fact::finished},
      .may_drop = {DropReason::endpoint_target_missing, DropReason::no_headroom}};

  explicit Encapsulate(const Environment& environment) noexcept : environment_(environment) {}

  Verdict handle(Packet packet) noexcept {
    const PacketMeta& meta = packet.meta();
    if (meta.vtep == base::no_vtep) return keep;  // To a tenant port here.
    if (Run::key_of(meta) != run_.key) {
      if (!begin_run(meta)) return DropReason::endpoint_target_missing;
    }
    if (run_.vtep->form != OuterForm::ipv4) [[unlikely]]  // Costs the others a call.
      return push_other(packet);
    return push<Ipv4Header>(packet, flow_hash(packet));
  }
  // Plain RoCE to VTEPs without a UDP checksum, as far as they are of one family and there is
  // headroom.
  std::size_t handle_front(Batch& batch, std::size_t count) noexcept {
    return count > 0 && batch.all_plain() ? push_plain(batch, count) : 0;
  }
  // MACs of next hops may change at any time: each batch looks anew.
  void end_batch() noexcept { end_run(); }

 private:
  // Packets of one network to one VTEP, one after the other: mostly all of a batch. They are
  // counted together, those of the network over all VTEPs that follow one another.
  struct Run {
    static constexpr std::uint64_t no_key = ~std::uint64_t{0};
    static std::uint64_t key_of(const PacketMeta& meta) noexcept {
      return std::uint64_t{meta.next_hop} << 32 | meta.network.value;
    }
    NetworkId network() const noexcept { return NetworkId{static_cast<std::uint16_t>(key)}; }
    // Of the network.
    std::uint64_t packets() const noexcept {
      return ecn_counts * 0x0001'0001'0001'0001 >> 48;  // The sum of the four.
    }

    std::uint64_t key = no_key;
    VtepId vtep_id = base::no_vtep;
    const VtepRecord* vtep = nullptr;
    std::uint64_t bytes = 0;
    UdpTunnelFront front{};  // With the next hop's MAC.
    VxlanHeader vxlan{};
    std::uint64_t ecn_counts = 0;  // Of the network, by codepoint, 16 bits each.
    std::uint64_t packets_before = 0, bytes_before = 0;  // Of the network, to VTEPs before.
  };
  static_assert(burst_max <= 0xffff, "no count of a run overflows");

  bool begin_run(const PacketMeta& meta) noexcept;
  bool begin_network(NetworkId network) noexcept;
  void end_vtep() noexcept;
  void end_run() noexcept;

  // IPv6 and UDP checksums.
  Verdict push_other(Packet packet) noexcept;

  std::size_t push_plain(Batch& batch, std::size_t count) noexcept;
  template <class Ip, bool one_vtep>
  std::size_t push_each(Batch& batch, std::size_t count) noexcept;

  template <class Ip>
  Verdict push(Packet packet, std::uint32_t hash) noexcept {
    using Outer = UdpTunnelHeader<Ip>;
    PacketMeta& meta = packet.meta();
    const VtepRecord& vtep = *run_.vtep;
    // All is read before anything is written, which the compiler could take for what it reads.
    const auto tos = static_cast<std::uint8_t>((meta.tos & vtep.tos_mask) | vtep.tos_pinned);
    const std::uint32_t frame_bytes = packet.length();
    // The shift takes six bits, which leaves the two of ECN.
    const std::uint64_t ecn_count = std::uint64_t{1} << (meta.tos * 16u & 63u);

    constexpr std::uint16_t pushed = sizeof(Outer) + Vxlan::header_bytes;
    if (packet.headroom() < pushed) [[unlikely]]  // Pools have room for every header.
      return DropReason::no_headroom;
    std::uint8_t* front = packet.grow_front(pushed);
    static_assert(encapsulated_ecn(Ecn::ce) == Ecn::ce, "normal mode: the TOS mask keeps ECN");
    write_udp_tunnel(front, run_.front, vtep.outer<Ip>(),
                     {.varying = std::is_same_v<Ip, Ipv4Header> ? vtep.ip_sum : entropy_label(hash),
                      .tos = tos,
                      .source_port = entropy_port(hash),
                      .payload_bytes = frame_bytes + Vxlan::header_bytes});
    std::memcpy(front + sizeof(Outer), &run_.vxlan, sizeof run_.vxlan);

    meta.outer_tos = tos;
    run_.bytes += frame_bytes;
    run_.ecn_counts += ecn_count;
    return keep;
  }

  const Environment& environment_;
  Run run_;
};

}  // namespace dp
