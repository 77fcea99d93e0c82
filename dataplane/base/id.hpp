// SPDX-License-Identifier: Apache-2.0
// Typed numbers: a PortId cannot be passed where a QueueId is wanted.
// They are plain values without padding, so that they can stand in wire and shared structs.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace base {

template <class Tag, class Rep = std::uint16_t>
struct StrongId {
  using Value = Rep;

  Rep value;

  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;
};

using PortId = StrongId<struct PortTag>;        // 0..port_count_max-1, given by the control plane.
using QueueId = StrongId<struct QueueTag>;      // rx or tx queue of one port.
using WorkerId = StrongId<struct WorkerTag>;    // 0..worker_count_max-1.
using NetworkId = StrongId<struct NetworkTag>;  // 1.., 0 means "no network".
using VtepId = StrongId<struct VtepTag>;        // 1.., 0 means "no VTEP".
using NextHopId = StrongId<struct NextHopTag>;  // 1.., 0 means "no next hop".
using Generation = std::uint64_t;               // The configuration in force; grows by 1 a commit.

inline constexpr PortId no_port{0xffff};
inline constexpr NetworkId no_network{0};
inline constexpr VtepId no_vtep{0};
inline constexpr NextHopId no_next_hop{0};

}  // namespace base

template <class Tag, class Rep>
struct std::hash<base::StrongId<Tag, Rep>> {
  std::size_t operator()(base::StrongId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
