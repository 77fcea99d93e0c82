// SPDX-License-Identifier: Apache-2.0
// 32 bytes of which some bits are asked for, compared at once: what a header must say where most
// fields are known beforehand.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace dp {

struct alignas(32) Pattern {
  static constexpr std::size_t size = 32;

  std::array<std::uint8_t, size> value{};
  std::array<std::uint8_t, size> mask{};  // Bits that are asked for.

  // From `position` on: within the 32 bytes.
  constexpr void ask(std::size_t position, std::span<const std::uint8_t> wanted) noexcept {
    for (const std::uint8_t byte : wanted) ask(position++, byte);
  }
  constexpr void ask(std::size_t position, std::uint8_t wanted, std::uint8_t bits = 0xff) noexcept {
    value[position] = wanted;
    mask[position] = bits;
  }

  // `bytes`: 32 of them that can be read.
  bool matches(const std::uint8_t* bytes) const noexcept {
#if defined(__AVX2__)
    const auto load = [](const std::uint8_t* from) noexcept {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    };
    return _mm256_testz_si256(load(mask.data()),
                              _mm256_xor_si256(load(bytes), load(value.data()))) != 0;
#else
    std::uint64_t differences = 0;
    for (std::size_t i = 0; i < size; i += 8) {
      std::uint64_t words[3];
      std::memcpy(&words[0], bytes + i, 8);
      std::memcpy(&words[1], value.data() + i, 8);
      std::memcpy(&words[2], mask.data() + i, 8);
      differences |= (words[0] ^ words[1]) & words[2];
    }
    return differences == 0;
#endif
  }
};

}  // namespace dp
