// SPDX-License-Identifier: Apache-2.0
// encapsulate: the prepared headers of the remote VTEP go in front of the frame. ECN comes from the
// tenant's packet in normal mode (RFC 6040 §4.1), DSCP from it or pinned, entropy from its flow.
#pragma once

#include "dataplane/packet/ecn.hpp"
#include "dataplane/packet/udp_tunnel.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "dataplane/table/last_record.hpp"
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

  explicit Encapsulate(const Environment& environment) noexcept
      : environment_(environment), networks_(environment.tables.networks) {}

  Verdict handle(Packet packet) noexcept {
    const PacketMeta& meta = packet.meta();
    if (meta.vtep == base::no_vtep) return keep;  // To a tenant port here.
    const base::Generation generation = environment_.generation;
    const VtepRecord* vtep = environment_.tables.vteps.find(meta.vtep.value, generation);
    const NetworkRecord* network = networks_.find(meta.network.value, generation);
    if (vtep == nullptr || network == nullptr) return DropReason::endpoint_target_missing;

    const std::uint32_t frame_bytes = packet.length();
    std::uint8_t* front = packet.grow_front(sizeof(UdpTunnelHeader) + Vxlan::header_bytes);
    if (front == nullptr) return DropReason::no_headroom;

    std::memcpy(front, &vtep->outer, sizeof(UdpTunnelHeader));
    static_assert(encapsulated_ecn(Ecn::ce) == Ecn::ce, "normal mode: the TOS mask keeps ECN");
    const auto tos = static_cast<std::uint8_t>((meta.tos & vtep->tos_mask) | vtep->tos_pinned);
    complete_udp_tunnel(*reinterpret_cast<UdpTunnelHeader*>(front), vtep->ip_sum, tos,
                        entropy_port(meta.flow_hash),
                        static_cast<std::uint16_t>(frame_bytes + Vxlan::header_bytes));
    Vxlan::write(front + sizeof(UdpTunnelHeader), network->vni);
    count(meta, frame_bytes);
    return keep;
  }

 private:
  void count(const PacketMeta& meta, std::uint32_t frame_bytes) noexcept {
    contract::NetworkCounters& network = environment_.counters.networks[meta.network.value];
    contract::add(network.encap_packets, 1);
    contract::add(network.encap_bytes, frame_bytes);
    contract::add(network.ecn_encap[meta.tos & 3], 1);
    contract::VtepCounters& vtep = environment_.counters.vteps[meta.vtep.value];
    contract::add(vtep.encap_packets, 1);
    contract::add(vtep.encap_bytes, frame_bytes);
  }

  const Environment& environment_;
  LastRecord<NetworkRecord> networks_;
};

}  // namespace dp
