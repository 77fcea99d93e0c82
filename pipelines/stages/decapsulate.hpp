// SPDX-License-Identifier: Apache-2.0
// decapsulate: is the packet for a VTEP of ours, from a VTEP we know, of a network we have? Then
// the tunnel's headers come off, and what remains is the tenant's frame.
#pragma once

#include "dataplane/packet/udp_tunnel.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/stage.hpp"

namespace dp {

class Decapsulate {
 public:
  static constexpr StageInfo info{
      .name = "decapsulate",
      .needs = {Fact::outer_parsed},
      .sets = {Fact::network},
      .may_drop = {DropReason::destination_not_local, DropReason::udp_port_not_handled,
                   DropReason::frame_truncated, DropReason::headers_segmented,
                   DropReason::vxlan_bad_flags, DropReason::unknown_vni, DropReason::unknown_vtep}};

  explicit Decapsulate(const Environment& environment) noexcept : environment_(environment) {}

  Verdict handle(Packet packet) noexcept;

 private:
  // What the last tunnel led to. Packets of one tunnel come in runs, and this spares three lookups.
  struct Tunnel {
    base::Generation generation = 0;
    std::uint64_t addresses = 0;  // Source and destination as they lie in the header.
    std::uint32_t vni = 0xffff'ffff;
    NetworkId network = base::no_network;
    VtepId source = base::no_vtep;
  };

  // Finds source, destination and network, or says which of them is not known.
  Verdict resolve(const Ipv4Header& ip, std::uint32_t vni, Tunnel& tunnel) const noexcept;
  bool is_vtep(be32 address, contract::VtepKind kind, VtepId& vtep) const noexcept;

  const Environment& environment_;
  Tunnel last_;
};

}  // namespace dp
