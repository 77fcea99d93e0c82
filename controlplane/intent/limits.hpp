// SPDX-License-Identifier: Apache-2.0
// How much the data plane at hand can hold. It says so in its hello; until then the defaults of
// its options hold.
#pragma once

#include <cstdint>

namespace cp {

struct Limits {
  std::uint32_t ports = 64;
  std::uint32_t vteps = 4096;
  std::uint32_t networks = 4096;
  std::uint32_t endpoints = 65536;

  friend bool operator==(const Limits&, const Limits&) = default;
};

}  // namespace cp
