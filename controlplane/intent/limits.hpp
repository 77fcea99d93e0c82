// SPDX-License-Identifier: Apache-2.0
// How much is read, and how much the data plane at hand can hold.
#pragma once

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

}  // namespace cp
