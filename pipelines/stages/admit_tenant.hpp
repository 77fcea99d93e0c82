// SPDX-License-Identifier: Apache-2.0
// admit_tenant: which network does a frame from a tenant port belong to? The port alone decides, or
// where the port maps VLANs, the port and the frame's tags, which then come off.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"

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
    const NetworkId network = environment_.in_port->network;
    if (network == base::no_network) [[unlikely]]  // Costs ports that map VLANs a call.
      return admit_by_tags(packet);
    packet.meta().network = network;
    return keep;
  }

 private:
  Verdict admit_by_tags(Packet packet) const noexcept;

  const Environment& environment_;
};

}  // namespace dp
