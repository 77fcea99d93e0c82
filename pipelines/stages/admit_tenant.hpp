// SPDX-License-Identifier: Apache-2.0
// admit_tenant: which network does a frame from a tenant port belong to? The port alone decides, or
// where the port maps VLANs, the port and the frame's tags, which then come off.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/start.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"

#include <cstdint>

namespace dp {

struct AdmitTenant {
  static constexpr StageInfo info{
      .name = "admit_tenant",
      .needs = {Fact::received, Fact::gathered},
      .sets = {Fact::network},
      .may_drop = {DropReason::frame_truncated, DropReason::source_mac_group,
                   DropReason::port_without_network, DropReason::unknown_vlan}};

  explicit AdmitTenant(const Environment& environment) noexcept : environment_(environment) {}

  Verdict handle(Packet packet) noexcept {
    if (packet.contiguous() < sizeof(EthernetHeader)) [[unlikely]]  // Runts are broken senders.
      return DropReason::frame_truncated;
    if (packet.header<EthernetHeader>(0).source.is_group()) return DropReason::source_mac_group;
    differences_ |= first_bytes(packet.mbuf()) ^ first_;
    // A fresh meta has the port's network.
    if (network_ == base::no_network) [[unlikely]]  // Costs ports that map VLANs a call.
      return admit_by_tags(packet);
    return keep;
  }
  void begin_batch(Batch& batch) noexcept {
    network_ = environment_.in_port->network;
    // In place of a runt, which dies: zeros, which others may have too.
    const rte_mbuf* first = batch.mbuf(0);
    first_ = first->data_len < sizeof(EthernetHeader) ? 0 : first_bytes(first);
    differences_ = 0;
  }
  void end_batch(Batch& batch) noexcept {
    if (same_destination(differences_)) batch.note_one_destination();
  }

 private:
  Verdict admit_by_tags(Packet packet) const noexcept;

  const Environment& environment_;
  NetworkId network_ = base::no_network;  // Of the port that the batch comes from.
  // Of the batch: the start of its first frame, and where the others are not the same.
  std::uint64_t first_ = 0;
  std::uint64_t differences_ = 0;
};

}  // namespace dp
