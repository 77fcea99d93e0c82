// SPDX-License-Identifier: Apache-2.0
// Every number below a count once, in an order that looks random and takes no memory: a bijection
// of the next power of two, of which what lies beyond the count is left out.
#pragma once

#include <bit>
#include <cstdint>

namespace pktgen {

class Permutation {
 public:
  // Another `round`, another order.
  Permutation(std::uint32_t count, std::uint64_t seed, std::uint64_t round, bool shuffle) noexcept
      : count_(count), domain_(std::bit_ceil(std::uint64_t{count})), shuffle_(shuffle) {
    // xorshift to the right and multiplication by an odd number are bijections of `bits` bits.
    const auto bits = static_cast<unsigned>(std::countr_zero(domain_));
    shift_ = (bits + 1) / 2;
    mask_ = domain_ - 1;
    const std::uint64_t key = scramble(seed ^ scramble(round));
    add_ = key >> 32;
    first_ = key | 1;
    second_ = scramble(key) | 1;
  }

  // The next number. After `count` of them begins the same order anew.
  std::uint32_t next() noexcept {
    while (true) {
      const std::uint64_t value = at(position_);
      position_ = (position_ + 1) & mask_;
      if (value < count_) return static_cast<std::uint32_t>(value);
    }
  }

 private:
  // splitmix64's finaliser.
  static std::uint64_t scramble(std::uint64_t value) noexcept {
    value += 0x9e37'79b9'7f4a'7c15;
    value = (value ^ (value >> 30)) * 0xbf58'476d'1ce4'e5b9;
    value = (value ^ (value >> 27)) * 0x94d0'49bb'1331'11eb;
    return value ^ (value >> 31);
  }
  std::uint64_t at(std::uint64_t x) const noexcept {
    if (!shuffle_) return x;
    x = (x + add_) & mask_;
    x = (x * first_) & mask_;
    x ^= x >> shift_;
    x = (x * second_) & mask_;
    x ^= x >> shift_;
    x = (x * first_) & mask_;
    return x;
  }

  std::uint32_t count_;
  std::uint64_t domain_;
  bool shuffle_;
  unsigned shift_ = 0;
  std::uint64_t mask_ = 0;
  std::uint64_t add_ = 0;
  std::uint64_t first_ = 1;
  std::uint64_t second_ = 1;
  std::uint64_t position_ = 0;
};

}  // namespace pktgen
