// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/choose_next_hop.hpp"

namespace dp {

Verdict ChooseNextHop::choose_other(Packet packet) const noexcept {
  const VersionedArray<VtepRecord>& vteps = environment_.tables.vteps;
  if (last_.place == vteps.nowhere) return DropReason::endpoint_target_missing;
  const VtepRecord& vtep = vteps.at(last_.place);
  if (vtep.kind != contract::VtepKind::remote) return DropReason::endpoint_target_missing;
  const NextHopWords& words = environment_.tables.next_hops;
  const NextHopWord first = words.read(vtep.first.place);
  // Usable: then it was the length, or it has become so just now.
  const VtepPath& path = first.usable() ? vtep.first : vtep.second;
  if (!first.usable() && !words.read(vtep.second.place).usable()) {
    return first.link_down() ? DropReason::next_hop_link_down : DropReason::next_hop_unresolved;
  }
  if (packet.length() > path.frame_bytes_max) return DropReason::mtu_exceeded;
  packet.meta().out_port = path.port;
  if (!first.usable()) packet.meta().next_hop |= PacketMeta::by_second_path;
  return keep;
}

}  // namespace dp
