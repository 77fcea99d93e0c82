// SPDX-License-Identifier: Apache-2.0
// choose_next_hop: by which next hop does a frame reach its VTEP, and does it fit the port there?
// The first one that is usable now. RoCE is never fragmented, so a frame that is too large dies
// here, counted, rather than silently later.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace dp {

struct ChooseNextHop {
  static constexpr StageInfo info{
      .name = "choose_next_hop",
      .needs = {Fact::single_target},
      .sets = {Fact::next_hop},
      .may_drop = {DropReason::endpoint_target_missing, DropReason::next_hop_unresolved,
                   DropReason::next_hop_link_down, DropReason::mtu_exceeded}};

  explicit ChooseNextHop(const Environment& environment) noexcept : environment_(environment) {}

  Verdict handle(Packet packet) noexcept {
    PacketMeta& meta = packet.meta();
    if (meta.vtep == base::no_vtep) return keep;  // To a tenant port here.
    if (meta.vtep != last_.vtep) look_up(meta.vtep);
    meta.next_hop = last_.place;
    if (packet.length() > last_.frame_bytes_max) [[unlikely]]
      return choose_other(packet);
    meta.out_port = last_.port;
    return keep;
  }
  // All to one VTEP, by its first next hop; else, of plain RoCE, what leaves by first next hops.
  std::size_t handle_front(Batch& batch, std::size_t count) noexcept {
    if (!batch.has_one_vtep()) return batch.all_plain() ? choose_each(batch, count) : 0;
    const VtepId vtep = batch.meta(0).vtep;
    look_up(vtep);
    const std::uint64_t way = PacketMeta::way(last_.place, vtep, last_.port);
    std::uint32_t longest = 0;
#pragma GCC unroll 4
    for (std::size_t i = 0; i < count; ++i) {
      const auto place = static_cast<std::uint16_t>(i);
      longest = std::max(longest, batch.mbuf(place)->pkt_len);
      batch.meta(place).set_way(way);
    }
    return longest <= last_.frame_bytes_max ? count : 0;
  }
  // A word may change at any time: each batch looks anew.
  void end_batch() noexcept { last_.vtep = base::no_vtep; }

 private:
  // Of the packet before: mostly this one goes there too.
  struct Last {
    VtepId vtep = base::no_vtep;
    PortId port = base::no_port;
    std::uint32_t place = VersionedArray<VtepRecord>::nowhere;
    std::uint32_t frame_bytes_max = 0;  // 0: not by the first next hop.
  };

  void look_up(VtepId id) noexcept {
    const VersionedArray<VtepRecord>& vteps = environment_.tables.vteps;
    last_ = {.vtep = id, .place = vteps.locate(id.value, environment_.generation)};
    if (last_.place == vteps.nowhere) return;
    const VtepPath& first = vteps.at(last_.place).first;
    last_.port = first.port;
    if (environment_.tables.next_hops.read(first.place).usable()) {
      last_.frame_bytes_max = first.frame_bytes_max;
    }
  }
  std::size_t choose_each(Batch& batch, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      const auto place = static_cast<std::uint16_t>(i);
      PacketMeta& meta = batch.meta(place);
      if (meta.vtep == base::no_vtep) return i;
      if (meta.vtep != last_.vtep) look_up(meta.vtep);
      if (batch.mbuf(place)->pkt_len > last_.frame_bytes_max) return i;
      meta.set_way(PacketMeta::way(last_.place, last_.vtep, last_.port));
    }
    return count;
  }
  // The second next hop, or why the frame goes nowhere.
  Verdict choose_other(Packet packet) const noexcept;

  const Environment& environment_;
  Last last_;
};

}  // namespace dp
