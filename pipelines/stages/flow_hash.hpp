// SPDX-License-Identifier: Apache-2.0
// The hash that spreads flows over the underlay's paths, as the tunnel's UDP source port. It covers
// the addresses, the ports and, for RoCE, the destination QP: QPs between two hosts often share one
// UDP source port (IBTA Annex A17.9.3), and without the QP all of them would take one path.
#pragma once

#include "dataplane/base/address.hpp"

#include <cstdint>
#include <cstring>

namespace dp {

constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Odd 64-bit constants without structure (digits of the golden ratio and of pi).
inline constexpr std::uint64_t hash_secret_a = 0x9e37'79b9'7f4a'7c15;
inline constexpr std::uint64_t hash_secret_b = 0x2438'6a88'85a3'08d3;

constexpr std::uint32_t hash_flow(std::uint32_t source, std::uint32_t destination,
                                  std::uint32_t ports) noexcept {
  const std::uint64_t addresses = std::uint64_t{source} << 32 | destination;
  const std::uint64_t hash = mix(addresses ^ hash_secret_a, ports ^ hash_secret_b);
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

constexpr std::uint32_t add_to_hash(std::uint32_t hash, std::uint32_t destination_qp) noexcept {
  const std::uint64_t mixed =
      mix(std::uint64_t{destination_qp} << 32 ^ hash ^ hash_secret_a, hash_secret_b);
  return static_cast<std::uint32_t>(mixed ^ (mixed >> 32));
}

inline std::uint32_t fold_address(const base::Ipv6Address& address) noexcept {
  std::uint64_t high;
  std::uint64_t low;
  std::memcpy(&high, address.bytes.data(), 8);
  std::memcpy(&low, address.bytes.data() + 8, 8);
  const std::uint64_t mixed = mix(high ^ hash_secret_b, low ^ hash_secret_a);
  return static_cast<std::uint32_t>(mixed ^ (mixed >> 32));
}

// RFC 7348 §5: a source port from the dynamic range, RFC 6335's 49152-65535.
constexpr std::uint16_t entropy_port(std::uint32_t hash) noexcept {
  return static_cast<std::uint16_t>(0xc000 | (hash & 0x3fff));
}

}  // namespace dp
