// SPDX-License-Identifier: Apache-2.0
// look_up_endpoint: where is the destination MAC of this network? Behind a local port, behind a
// remote VTEP, everywhere (broadcast, multicast, unknown where the network says so), or nowhere.
// A stage of its own loop: 64 lookups whose cache lines are fetched together.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "dataplane/pipeline/stage.hpp"

#include <cstdint>
#include <limits>

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

  // All that it calls here is inlined: most packets take the same way through it.
  [[gnu::flatten]] void process(Batch& batch, Exits& exits, std::uint16_t stage) noexcept;

 private:
  // Where the frames of one key go.
  struct Target {
    Verdict verdict = keep;
    bool flood = false;
    PortId port = base::no_port;
    VtepId vtep = base::no_vtep;
    std::uint32_t frame_bytes_max = std::numeric_limits<std::uint32_t>::max();
  };
  // `value` is what the table says for the packet's key.
  Target resolve(Packet packet, std::uint32_t value) const noexcept;
  Target resolve_unknown(Packet packet) const noexcept;
  Target resolve_local(const PacketMeta& meta, PortId port) const noexcept;
  static void send_to(PacketMeta& meta, const Target& target) noexcept {
    meta.vtep = target.vtep;
    meta.out_port = target.port;
  }
  static bool send_all_to(Batch& batch, const Target& target) noexcept;
  bool send_each(Batch& batch, const std::uint32_t* values) noexcept;
  Verdict settle(Packet packet, const Target& target, Batch& batch) const noexcept;

  const Environment& environment_;
};

extern template class LookUpEndpoint<CameFrom::tenant>;
extern template class LookUpEndpoint<CameFrom::wire>;

}  // namespace dp
