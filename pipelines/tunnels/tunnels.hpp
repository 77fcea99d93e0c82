// SPDX-License-Identifier: Apache-2.0
// The list of encapsulations. A tunnel is a struct with udp_destination, header_bytes, read() and
// write(); it exists because it stands here.
#pragma once

#include "pipelines/tunnels/vxlan.hpp"

#include <cstdint>
#include <tuple>

namespace dp {

using Tunnels = std::tuple<Vxlan>;

// Is it the UDP port of one of them?
constexpr bool is_tunnel_port(be16 udp_destination) noexcept {
  return []<class... Kinds>(be16 port, std::tuple<Kinds...>*) {
    return ((port == be16(Kinds::udp_destination)) || ...);
  }(udp_destination, static_cast<Tunnels*>(nullptr));
}

// Bytes of the largest tunnel header behind UDP.
inline constexpr std::uint16_t tunnel_header_bytes_max = Vxlan::header_bytes;

}  // namespace dp
