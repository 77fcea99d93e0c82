// SPDX-License-Identifier: Apache-2.0
// A digest of a table's memory, kept part by part, so that what changed of it is all that must be
// looked at again. Against accidents, not forgery: damage of up to 32 bits in a row within a word
// of eight bytes is seen for certain, any other but for one in 2^32 or less.
#pragma once

#include "dataplane/table/hash.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dp {

class ImageDigest {
 public:
  static constexpr std::size_t part_bytes = 1024;  // 8 bytes of ours each.

  // Of a table of so many bytes, none of which update() has seen. One of another seed has another
  // digest. Allocates.
  void begin(std::size_t bytes, HashSeed seed);
  // These are what they are now; from the beginning of a part to the end of one or of all.
  void update(std::size_t offset, std::span<const std::byte> bytes) noexcept;

  // Once update() has seen all: a millisecond for 24 MB.
  std::uint64_t value() const noexcept { return sum_; }

 private:
  std::vector<std::uint64_t> parts_;
  std::uint64_t sum_ = 0;
  HashSeed seed_{};
};

}  // namespace dp
