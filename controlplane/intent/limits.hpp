// SPDX-License-Identifier: Apache-2.0
// How much is read, and how much the data plane at hand can hold.
#pragma once

#include "dataplane/contract/limits.hpp"

#include <cstdint>

namespace cp {

// Longest document that is read: an intent of a million endpoints has about 80 MB.
inline constexpr std::uint64_t document_bytes_max = 128u << 20;

// What the data plane says in its hello; until then the defaults of its options hold.
struct Limits {
  std::uint32_t ports = 64;
  std::uint32_t vteps = 4096;
  std::uint32_t networks = 4096;
  std::uint32_t endpoints = 65536;
  std::uint32_t next_hops = 1024;

  friend bool operator==(const Limits&, const Limits&) = default;
};

// More than any data plane has: for what was judged before, when it is read back.
inline constexpr Limits limits_unknown{.ports = contract::port_count_max,
                                       .vteps = UINT16_MAX,
                                       .networks = UINT16_MAX,
                                       .endpoints = UINT32_MAX,
                                       .next_hops = contract::next_hop_count_max};

}  // namespace cp
