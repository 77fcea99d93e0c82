// SPDX-License-Identifier: Apache-2.0
// What a profile says, as endpoints are told it.
#pragma once

#include "tools/pktgen/endpoint/config.hpp"
#include "tools/pktgen/profile/model.hpp"
#include "tools/pktgen/start/options.hpp"

#include <cstdint>
#include <vector>

namespace pktgen {

EndpointConfig endpoint_config_of(const Profile& profile);
// Of a queue pair that both sides know: it has the same number at both, and only the addresses tell
// them apart.
QpConfig qp_config_of(const Profile& profile, Side side, std::uint32_t flow, Transport transport);
// What queue pairs of a transport do, in turn.
std::vector<Work> works_of(const Profile& profile, Transport transport);

// Words that fetch_add and compare_swap change, apart from each other.
inline constexpr std::uint64_t counted_word = 0x1'0000'0000, swapped_word = 0x1'0000'0008;

// Where the right side listens for RDMA-CM.
constexpr std::uint16_t cm_port_of(Transport transport) noexcept {
  return transport == Transport::uc ? 18516 : 18515;
}

// Of both sides: data packets, as READ data and requests are, and RDMA-CM's messages.
std::uint16_t longest_frame(const Profile& profile) noexcept;

}  // namespace pktgen
