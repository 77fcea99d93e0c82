// SPDX-License-Identifier: Apache-2.0
// Fields of a header that lie next to each other, compared together as they lie in memory.
#pragma once

#include "dataplane/base/byte_order.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dp {

// Four bytes of a header.
template <std::size_t offset, class Header>
std::uint32_t word_at(const Header& header) noexcept {
  static_assert(offset + 4 <= sizeof(Header));
  std::uint32_t word;
  std::memcpy(&word, reinterpret_cast<const std::uint8_t*>(&header) + offset, sizeof word);
  return word;
}

// The word of these bytes, in the order of the wire.
constexpr std::uint32_t word_of(std::uint8_t first, std::uint8_t second, std::uint8_t third,
                                std::uint8_t fourth) noexcept {
  return base::be32(std::uint32_t{first} << 24 | std::uint32_t{second} << 16 |
                    std::uint32_t{third} << 8 | fourth)
      .raw();
}

}  // namespace dp
