// SPDX-License-Identifier: Apache-2.0
// look_up_endpoint: where is the destination MAC of this network? Behind a local port, behind a
// remote VTEP, everywhere (broadcast, multicast, unknown where the network says so), or nowhere.
// A stage of its own loop: 64 lookups whose cache lines are fetched together.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "dataplane/pipeline/stage.hpp"

namespace dp {

enum class CameFrom : std::uint8_t { tenant, wire };

template <CameFrom came_from>
class LookUpEndpoint {
 public:
  static constexpr StageInfo info{
      .name = "look_up_endpoint",
      .needs = came_from == CameFrom::wire ? Facts{Fact::network, Fact::parsed, Fact::ecn_final}
                                           : Facts{Fact::network, Fact::parsed},
      .sets = {Fact::destination},
      .may_drop = came_from == CameFrom::wire
                      ? DropReasons{DropReason::unknown_destination, DropReason::split_horizon,
                                    DropReason::endpoint_target_missing, DropReason::mtu_exceeded}
                      : DropReasons{DropReason::unknown_destination,
                                    DropReason::destination_is_ingress_port,
                                    DropReason::endpoint_target_missing, DropReason::mtu_exceeded}};

  explicit LookUpEndpoint(const Environment& environment) noexcept : environment_(environment) {}

  void process(Batch& batch, Exits& exits, std::uint16_t stage) noexcept;

 private:
  Verdict settle(Packet packet, EndpointValue endpoint) const noexcept;
  Verdict settle_unknown(Packet packet, Batch& batch) const noexcept;
  Verdict settle_local(Packet packet, PortId port) const noexcept;

  const Environment& environment_;
};

extern template class LookUpEndpoint<CameFrom::tenant>;
extern template class LookUpEndpoint<CameFrom::wire>;

}  // namespace dp
