// SPDX-License-Identifier: Apache-2.0
// flood: a frame for everyone in its network becomes one frame per target: the other tenant ports
// here and, if it came from a tenant, each VTEP of the network's flood list. What came through a
// tunnel goes to local ports only (split horizon).
//
// Copies run through the rest of the pipeline before the frames that were not flooded. That keeps
// every flow's order: within one batch, so one generation, a flow is flooded or it is not.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/stages/look_up_endpoint.hpp"

#include <bit>
#include <cstdint>

namespace dp {

template <CameFrom came_from>
class Flood {
 public:
  static constexpr StageInfo info{
      .name = "flood",
      .needs = {Fact::destination},
      // From the wire the next stop is a tenant port, and the frame can leave as it is.
      .sets = came_from == CameFrom::wire ? Facts{Fact::single_target, Fact::finished}
                                          : Facts{Fact::single_target},
      .may_drop = {DropReason::no_flood_target, DropReason::mtu_exceeded, DropReason::no_mbuf}};

  explicit Flood(const Environment& environment) noexcept : environment_(environment) {}

  template <class Next>
  void process(Batch& batch, Exits& exits, std::uint16_t stage, Next next) noexcept {
    if (!batch.flooded()) [[likely]]
      return;
    std::uint16_t kept = 0;
    for (std::uint16_t i = 0; i < batch.size(); ++i) {
      if (batch.meta(i).flood) [[unlikely]] {  // Broadcast is rare beside RDMA.
        spread(batch[i], exits, stage, next);
        continue;
      }
      if (kept != i) batch.move_down(i, kept);
      ++kept;
    }
    batch.keep(kept);
    if (!copies_.empty()) next(copies_);
  }

 private:
  // Takes the packet: it becomes the last target's, copies become the others'.
  template <class Next>
  void spread(Packet packet, Exits& exits, std::uint16_t stage, Next& next) noexcept {
    const NetworkRecord* network =
        environment_.tables.networks.find(packet.meta().network.value, environment_.generation);
    std::uint64_t ports = network == nullptr ? 0 : network->local_ports;
    // The ingress port is a tenant's, or no member at all.
    ports &= ~(std::uint64_t{1} << packet.meta().in_port.value);
    const std::uint16_t vteps =
        came_from == CameFrom::tenant && network != nullptr ? network->flood_vtep_count : 0;
    std::uint32_t targets = static_cast<std::uint32_t>(std::popcount(ports)) + vteps;
    if (targets == 0) {
      exits.drop(stage, packet.mbuf(), packet.meta(), DropReason::no_flood_target);
      return;
    }
    contract::add(environment_.counters.networks[packet.meta().network.value].flooded_packets, 1);
    packet.meta().flood = false;

    while (ports != 0) {
      PacketMeta meta = packet.meta();
      meta.out_port = PortId{static_cast<std::uint16_t>(std::countr_zero(ports))};
      ports &= ports - 1;
      add_target(packet, meta, --targets == 0, exits, stage, next);
    }
    for (std::uint16_t i = 0; i < vteps; ++i) {
      PacketMeta meta = packet.meta();
      meta.vtep = network->flood_vteps[i];
      add_target(packet, meta, --targets == 0, exits, stage, next);
    }
  }

  template <class Next>
  void add_target(Packet packet, PacketMeta meta, bool last, Exits& exits, std::uint16_t stage,
                  Next& next) noexcept {
    rte_mbuf* mbuf = packet.mbuf();
    if (!fits(packet, meta)) [[unlikely]] {  // Ports of one network mostly have one MTU.
      if (last) {
        exits.drop(stage, mbuf, meta, DropReason::mtu_exceeded);
      } else {
        exits.drop_uncreated(stage, DropReason::mtu_exceeded);
      }
      return;
    }
    if (!last) {
      // Copied, not referred to: each copy gets a tunnel header of its own in front.
      mbuf = rte_pktmbuf_copy(mbuf, &environment_.pool, 0, UINT32_MAX);
      if (mbuf == nullptr) {
        exits.drop_uncreated(stage, DropReason::no_mbuf);
        return;
      }
      exits.created(1);
      if (meta.trace_slot != no_trace) meta.trace_slot = exits.tracer().replicate(meta);
    }
    if (copies_.full()) next(copies_);
    copies_.push(mbuf, meta);
  }

  // Whether it fits a tunnel is for choose_next_hop to say.
  bool fits(Packet packet, const PacketMeta& meta) const noexcept {
    if (meta.out_port == base::no_port) return true;
    const PortRecord* port =
        environment_.tables.ports.find(meta.out_port.value, environment_.generation);
    return port == nullptr || port->takes(packet.length());
  }

  const Environment& environment_;
  Batch copies_;
};

}  // namespace dp
