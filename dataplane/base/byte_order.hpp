// SPDX-License-Identifier: Apache-2.0
// Big-endian integers as types of their own, so that a missing swap does not compile.
// Alignment is 1: header views may lie at any offset of a frame.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace base {

template <std::unsigned_integral T>
constexpr T swap_bytes(T value) noexcept {
  if constexpr (sizeof(T) == 2) {
    return __builtin_bswap16(value);
  } else if constexpr (sizeof(T) == 4) {
    return __builtin_bswap32(value);
  } else {
    return __builtin_bswap64(value);
  }
}

template <std::unsigned_integral T>
constexpr T to_big_endian(T value) noexcept {
  return std::endian::native == std::endian::little ? swap_bytes(value) : value;
}

// An unsigned integer stored in network byte order. Packed, for it lies anywhere; as an array of
// bytes, g++ 12 would take it through the stack.
template <std::unsigned_integral T>
class [[gnu::packed]] BigEndian {
 public:
  BigEndian() = default;
  constexpr explicit BigEndian(T host) noexcept : raw_(to_big_endian(host)) {}

  constexpr T host() const noexcept { return to_big_endian(raw()); }
  // The value as it lies in memory; only for checksums, which do not care about byte order.
  constexpr T raw() const noexcept { return raw_; }
  static constexpr BigEndian from_raw(T raw) noexcept {
    BigEndian result;
    result.raw_ = raw;
    return result;
  }

  friend constexpr bool operator==(const BigEndian& a, const BigEndian& b) noexcept {
    return a.raw_ == b.raw_;
  }

 private:
  T raw_;
};

using be16 = BigEndian<std::uint16_t>;
using be32 = BigEndian<std::uint32_t>;
using be64 = BigEndian<std::uint64_t>;

static_assert(sizeof(be16) == 2 && alignof(be16) == 1);
static_assert(sizeof(be32) == 4 && alignof(be32) == 1);
static_assert(sizeof(be64) == 8 && alignof(be64) == 1);

}  // namespace base
