// SPDX-License-Identifier: Apache-2.0
// encapsulate: the prepared headers of the remote VTEP go in front of the frame. ECN comes from the
// tenant's packet in normal mode (RFC 6040 §4.1), DSCP from it or pinned, entropy from its flow.
#pragma once

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
    if (meta.network != last_.network || environment_.generation != last_.generation) [[unlikely]] {
      if (!resolve(meta.network)) return DropReason::endpoint_target_missing;
    }
    const VtepRecord& vtep = environment_.tables.vteps.at(meta.next_hop);
    if (vtep.form != OuterForm::ipv4) [[unlikely]]  // Costs the others a call.
      return push_other(packet, vtep);
    return push<Ipv4Header>(packet, vtep);
  }

 private:
  // The network of the packet before: mostly it is this one's too.
  struct Network {
    base::Generation generation = 0;
    NetworkId network = base::no_network;
    std::uint32_t vni = 0;
    contract::NetworkCounters* counters = nullptr;
  };

  bool resolve(NetworkId id) noexcept {
    const NetworkRecord* record =
        environment_.tables.networks.find(id.value, environment_.generation);
    if (record == nullptr) return false;
    last_ = {.generation = environment_.generation,
             .network = id,
             .vni = record->vni,
             .counters = &environment_.counters.networks[id.value]};
    return true;
  }

  // The MAC of a next hop that is resolved; and the other headers where it is the second one.
  void complete_ethernet(std::uint8_t* front, const VtepRecord& vtep, bool second) const noexcept {
    if (second) [[unlikely]]  // The first is down.
      std::memcpy(front, &vtep.second_ethernet, sizeof vtep.second_ethernet);
    const NextHopPlace place = second ? vtep.second.place : vtep.first.place;
    std::uint64_t start;
    std::memcpy(&start, front, sizeof start);
    start |= environment_.tables.next_hops.read(place).mac_bytes();
    std::memcpy(front, &start, sizeof start);
  }

  // IPv6 and UDP checksums.
  Verdict push_other(Packet packet, const VtepRecord& vtep) noexcept;

  template <class Ip>
  Verdict push(Packet packet, const VtepRecord& vtep) noexcept {
    using Outer = UdpTunnelHeader<Ip>;
    const PacketMeta& meta = packet.meta();
    // All is read before anything is written, which the compiler could take for what it reads.
    const auto tos = static_cast<std::uint8_t>((meta.tos & vtep.tos_mask) | vtep.tos_pinned);
    const std::uint32_t hash = flow_hash(packet);
    const std::uint32_t frame_bytes = packet.length();
    const unsigned ecn = meta.tos & 3u;
    const VtepId id = meta.vtep;

    std::uint8_t* front = packet.grow_front(sizeof(Outer) + Vxlan::header_bytes);
    if (front == nullptr) return DropReason::no_headroom;
    std::memcpy(front, vtep.outer_bytes.data(), sizeof(Outer));
    complete_ethernet(front, vtep, meta.second_path);
    static_assert(encapsulated_ecn(Ecn::ce) == Ecn::ce, "normal mode: the TOS mask keeps ECN");
    const std::uint32_t varying =
        std::is_same_v<Ip, Ipv4Header> ? vtep.ip_sum : entropy_label(hash);
    complete_udp_tunnel(*reinterpret_cast<Outer*>(front), varying, tos, entropy_port(hash),
                        static_cast<std::uint16_t>(frame_bytes + Vxlan::header_bytes));
    Vxlan::write(front + sizeof(Outer), last_.vni);

    contract::NetworkCounters& network = *last_.counters;
    contract::add(network.encap_packets, 1);
    contract::add(network.encap_bytes, frame_bytes);
    contract::add(network.ecn_encap[ecn], 1);
    contract::VtepCounters& counters = environment_.counters.vteps[id.value];
    contract::add(counters.encap_packets, 1);
    contract::add(counters.encap_bytes, frame_bytes);
    return keep;
  }

  const Environment& environment_;
  Network last_;
};

}  // namespace dp
