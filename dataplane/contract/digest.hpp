// SPDX-License-Identifier: Apache-2.0
// One number per table that two processes can compare instead of its entries: the sum of the
// hashes of its records, so that the order of changes does not matter.
#pragma once

#include "dataplane/contract/frame.hpp"

#include <cstdint>
#include <cstring>

namespace contract {

// What each table counts: ports the port_add and the port_set records, VTEPs the next_hop_set
// records too (there is no room for one more number), the others their _set's.
struct Digests {
  std::uint64_t ports;
  std::uint64_t networks;
  std::uint64_t vteps;
  std::uint64_t endpoints;

  friend bool operator==(const Digests&, const Digests&) = default;
};

// One table of them, and a set of some.
enum class Table : std::uint32_t {
  ports = 1 << 1,  // Bit 0 is Begin's.
  networks = 1 << 2,
  vteps = 1 << 3,
  endpoints = 1 << 4,
};
using TableSet = std::uint32_t;
inline constexpr TableSet all_tables = 0b1'1110;

constexpr bool has(TableSet set, Table table) noexcept {
  return (set & static_cast<TableSet>(table)) != 0;
}

// The tables in which they differ.
constexpr TableSet difference(const Digests& left, const Digests& right) noexcept {
  const auto where = [](bool differs, Table table) {
    return differs ? static_cast<TableSet>(table) : TableSet{0};
  };
  return where(left.ports != right.ports, Table::ports) |
         where(left.networks != right.networks, Table::networks) |
         where(left.vteps != right.vteps, Table::vteps) |
         where(left.endpoints != right.endpoints, Table::endpoints);
}

// Mixes each 8 bytes by multiply and shift; against accidents, not forgery: both sides are ours.
// Zero words at the end do not count, so that a record that grew digests as before in both releases
// while its new fields are 0.
template <Record T>
std::uint64_t record_digest(const T& record) noexcept {
  constexpr std::size_t word_count = (sizeof(T) + 7) / 8;
  std::uint64_t words[word_count] = {};
  std::memcpy(words, &record, sizeof(T));
  std::size_t used = word_count;
  while (used > 0 && words[used - 1] == 0) --used;

  std::uint64_t hash = 0x9e37'79b9'7f4a'7c15;
  for (std::size_t i = 0; i < used; ++i) {
    hash = (hash ^ words[i]) * 0xff51'afd7'ed55'8ccd;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace contract
