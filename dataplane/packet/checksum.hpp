// SPDX-License-Identifier: Apache-2.0
// The Internet checksum (RFC 1071) and its incremental update (RFC 1624). Sums are kept in memory
// order: ones' complement addition does not care, as long as all operands agree.
#pragma once

#include "dataplane/base/byte_order.hpp"
#include "dataplane/packet/headers.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dp {

constexpr std::uint16_t fold(std::uint64_t sum) noexcept {
  // Three rounds: 64 → at most 34 → at most 19 → 16 bits with the last carry added.
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// Unfolded sum of `bytes` bytes; an odd last byte is padded with zero.
inline std::uint64_t sum_words(const void* data, std::size_t bytes) noexcept {
  const auto* position = static_cast<const std::uint8_t*>(data);
  std::uint64_t sum = 0;
  for (; bytes >= 4; bytes -= 4, position += 4) {
    std::uint32_t word;
    std::memcpy(&word, position, 4);
    sum += word;
  }
  if (bytes > 0) {
    std::uint32_t word = 0;
    std::memcpy(&word, position, bytes);
    sum += word;
  }
  return sum;
}

// True where a header without options, with its checksum, sums to all ones: of a sum that is not 0,
// where 0xffff divides it, as each bit weighs the same modulo that 16 places up. In 64-bit words,
// each carry added at the other end: a third of the instructions of sum_words() and fold().
inline bool checksum_holds(const Ipv4Header& header) noexcept {
  std::uint64_t words[2];
  std::uint32_t last;
  std::memcpy(words, &header, sizeof words);
  std::memcpy(&last, reinterpret_cast<const std::uint8_t*>(&header) + sizeof words, sizeof last);
  static_assert(sizeof words + sizeof last == sizeof header);
  std::uint64_t sum = words[0] + last;
  sum += sum < last;
  sum += words[1];
  sum += sum < words[1];
  return sum % 0xffff == 0 && sum != 0;
}

// RFC 1624 equation 3: HC' = ~(~HC + ~m + m'), for one 16-bit word m that becomes m'.
constexpr base::be16 update_checksum(base::be16 checksum, base::be16 before,
                                     base::be16 after) noexcept {
  const std::uint64_t sum = std::uint64_t{static_cast<std::uint16_t>(~checksum.raw())} +
                            static_cast<std::uint16_t>(~before.raw()) + after.raw();
  return base::be16::from_raw(static_cast<std::uint16_t>(~fold(sum)));
}

}  // namespace dp
