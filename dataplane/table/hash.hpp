// SPDX-License-Identifier: Apache-2.0
// A keyed hash of 64-bit keys. Outsiders choose keys (MAC addresses), so it must not let them find
// collisions without the seed; CRC would: a collision of it under one seed is one under all.
#pragma once

#include <cstdint>

namespace dp {

struct HashSeed {
  std::uint64_t low;
  std::uint64_t high;
};

// From the kernel's random source; new at each start.
HashSeed random_seed() noexcept;

class KeyedHash {
 public:
  explicit KeyedHash(HashSeed seed) noexcept
      : first_(mix(seed.low)),
        second_(mix(~seed.high) | 1),  // Odd: a factor must not be 0.
        third_(mix(seed.low - seed.high)) {}

  // Two rounds of a folded 64x64→128 multiply (as in wyhash), each with secrets of its own: the
  // factor of the second is unknown and differs with every key, which a single round does not
  // give. A batch's multiplies overlap, so that the second round costs little.
  std::uint64_t operator()(std::uint64_t key) const noexcept {
    const std::uint64_t folded = fold(key ^ first_, second_);
    return fold(folded ^ third_, key + second_);
  }

 private:
  __extension__ using Wide = unsigned __int128;

  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  // The finaliser of SplitMix64.
  static std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9;
    x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11eb;
    return x ^ (x >> 31);
  }

  std::uint64_t first_;
  std::uint64_t second_;
  std::uint64_t third_;
};

}  // namespace dp
