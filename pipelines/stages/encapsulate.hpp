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
    // All is read before anything is written, which the compiler could take for what it reads.
    const auto tos = static_cast<std::uint8_t>((meta.tos & vtep.tos_mask) | vtep.tos_pinned);
    const std::uint16_t source_port = entropy_port(flow_hash(packet));
    const std::uint32_t frame_bytes = packet.length();
    const unsigned ecn = meta.tos & 3u;
    const VtepId id = meta.vtep;

    std::uint8_t* front = packet.grow_front(sizeof(UdpTunnelHeader) + Vxlan::header_bytes);
    if (front == nullptr) return DropReason::no_headroom;
    std::memcpy(front, &vtep.outer, sizeof(UdpTunnelHeader));
    static_assert(encapsulated_ecn(Ecn::ce) == Ecn::ce, "normal mode: the TOS mask keeps ECN");
    complete_udp_tunnel(*reinterpret_cast<UdpTunnelHeader*>(front), vtep.ip_sum, tos, source_port,
                        static_cast<std::uint16_t>(frame_bytes + Vxlan::header_bytes));
    Vxlan::write(front + sizeof(UdpTunnelHeader), last_.vni);

    contract::NetworkCounters& network = *last_.counters;
    contract::add(network.encap_packets, 1);
    contract::add(network.encap_bytes, frame_bytes);
    contract::add(network.ecn_encap[ecn], 1);
    contract::VtepCounters& counters = environment_.counters.vteps[id.value];
    contract::add(counters.encap_packets, 1);
    contract::add(counters.encap_bytes, frame_bytes);
    return keep;
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

  const Environment& environment_;
  Network last_;
};

}  // namespace dp
