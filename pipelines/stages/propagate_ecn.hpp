// SPDX-License-Identifier: Apache-2.0
// propagate_ecn: what the underlay marked on the tunnel's header becomes visible to the receiver,
// by the 16 cells of RFC 6040. DSCP is left alone, and the RoCEv2 ICRC does not cover these bits.
#pragma once

#include "dataplane/packet/ecn.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/tunnels/ecn.hpp"

namespace dp {

struct PropagateEcn {
  static constexpr StageInfo info{.name = "propagate_ecn",
                                  .needs = {Fact::outer_parsed, Fact::parsed, Fact::network},
                                  .sets = {Fact::ecn_final},
                                  .may_drop = {DropReason::ecn_ce_on_not_ect}};

  explicit PropagateEcn(const Environment& environment) noexcept
      : networks_(environment.counters.networks), cells_(&networks_[last_.value].ecn_decap) {}

  Verdict handle(Packet packet) noexcept {
    PacketMeta& meta = packet.meta();
    // A frame without IP has nowhere to carry a mark and nobody who would react; the kernel's
    // decapsulation lets it pass as well.
    if (meta.ip_version == 0) return keep;
    const Ecn inner = ecn_of(meta.tos);
    const Ecn outer = ecn_of(meta.outer_tos);
    count(meta.network, inner, outer);
    if (inner == outer) return keep;  // Which no cell changes, and most packets have.
    const DecapsulatedEcn cell =
        decapsulation_table[static_cast<std::size_t>(inner)][static_cast<std::size_t>(outer)];
    if (cell.drop) return DropReason::ecn_ce_on_not_ect;
    if (cell.result != inner) write(packet, cell.result);
    return keep;
  }

 private:
  void count(NetworkId network, Ecn inner, Ecn outer) noexcept {
    if (network != last_) {
      last_ = network;
      cells_ = &networks_[network.value].ecn_decap;
    }
    contract::add((*cells_)[static_cast<std::size_t>(inner)][static_cast<std::size_t>(outer)], 1);
  }
  static void write(Packet packet, Ecn ecn) noexcept {
    PacketMeta& meta = packet.meta();
    if (meta.ip_version == 4) {
      write_ecn(packet.header<Ipv4Header>(meta.l3), ecn);
    } else {
      write_ecn(packet.header<Ipv6Header>(meta.l3), ecn);
    }
    meta.tos = static_cast<std::uint8_t>((meta.tos & ~3u) | static_cast<unsigned>(ecn));
  }

  std::span<contract::NetworkCounters> networks_;
  // Of the packet before: mostly this one's, too.
  NetworkId last_ = base::no_network;
  decltype(contract::NetworkCounters::ecn_decap)* cells_;
};

}  // namespace dp
