// SPDX-License-Identifier: Apache-2.0
// What tells a row of the store from one that an accident made of it. Not against forgery: who can
// write the file can write anything.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>

namespace cp {

// FNV-1a, mixed at the end so that sums of similar rows do not cancel out.
class RowDigest {
 public:
  explicit RowDigest(char table) noexcept { add(table); }

  RowDigest& add(char c) noexcept {
    hash_ = (hash_ ^ static_cast<unsigned char>(c)) * prime;
    return *this;
  }
  RowDigest& add(std::string_view text) noexcept {
    for (const char c : text) add(c);
    return *this;
  }
  // Of a text of megabytes, eight bytes at a time; another digest than add()'s.
  RowDigest& add_large(std::string_view text) noexcept {
    for (; text.size() >= sizeof(std::uint64_t); text.remove_prefix(sizeof(std::uint64_t))) {
      std::uint64_t word;
      std::memcpy(&word, text.data(), sizeof word);
      if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
      hash_ = (hash_ ^ word) * prime;
      hash_ ^= hash_ >> 29;  // A product's high bits know all of the word, its low ones little.
    }
    return add(text);
  }
  // A text, and that it ends here: no value of ours holds a zero.
  RowDigest& add_value(std::string_view text) noexcept { return add(text).add('\0'); }
  RowDigest& add_value(std::int64_t number) noexcept {
    for (int shift = 0; shift < 64; shift += 8) add(static_cast<char>(number >> shift));
    return *this;
  }

  std::uint64_t value() const noexcept {
    const std::uint64_t mixed = (hash_ ^ (hash_ >> 32)) * 0xff51'afd7'ed55'8ccd;
    return mixed ^ (mixed >> 32);
  }

 private:
  static constexpr std::uint64_t prime = 0x100'0000'01b3;

  std::uint64_t hash_ = 0xcbf2'9ce4'8422'2325;
};

}  // namespace cp
