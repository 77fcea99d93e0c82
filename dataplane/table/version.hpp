// SPDX-License-Identifier: Apache-2.0
// Two versions of a value in one word: what generation G sees and what G+1 will see.
// The word changes by single atomic stores, so a reader never sees a half-made state.
//
//    63   61 60                     32 31 30 29 28                      0
//   ┌───────┬─────────────────────────┬──┬──┬──┬─────────────────────────┐
//   │ note  │ older value (29 bits)   │ p│ k│  │ newer value (29 bits)   │
//   └───────┴─────────────────────────┴──┴──┴──┴─────────────────────────┘
//    p: parity of the generation that made `newer`   k: kept in a replace-all
//    Values are stored inverted, so that zeroed memory is a table of absent entries.
//
// One entry's life (housekeeper's steps on the left; G is in force, T = G+1 is being made):
//
//                       older  newer  p     batch at G sees   batch at T sees
//   settled, value A      A      A    any          A                 A
//   set B for T           A      B    T&1          A                 B
//   set C for T again     A      C    T&1          A                 C
//   remove for T          A      -    T&1          A                 -
//   abort                 A      A    any          A            (T was never in force)
//   settle after T        C      C    any    (no batch at G)         C
//
// Why parity is enough. A batch reads the generation once; it is G or T while an entry is
// unsettled, never anything else, because staging for T starts only when the changes that made G
// are settled, and they are settled only when every worker has passed a quiescent point after the
// flip to G (Changes refuses the first half of a breach, the housekeeper's order prevents the
// other).
//
// Why relaxed loads and stores are enough for the words. A batch that reads T did so with the
// acquire load in Epoch::enter_batch, which pairs with the release in Epoch::flip: it sees all that
// was staged for T. A batch at G may see each word before or after any staging, abort or settling
// of G: every such word shows it the same value. What is staged for T+1 while a batch is at T
// differs in parity, so that batch reads `older`, which is what T's `newer` was.
#pragma once

#include "dataplane/base/id.hpp"

#include <cstdint>

namespace dp {

// Values are 0 .. no_value-1; no_value says "absent" wherever a value can stand.
inline constexpr std::uint32_t no_value = 0x1fff'ffff;

class Version {
 public:
  static constexpr std::uint32_t note_max = 7;

  constexpr Version() noexcept = default;
  constexpr explicit Version(std::uint64_t word) noexcept : word_(word) {}
  constexpr std::uint64_t word() const noexcept { return word_; }

  // What a batch that runs under `generation` sees. Without a branch: half of all packets of a
  // batch meeting changed entries would otherwise be mispredicted.
  constexpr std::uint32_t seen_by(base::Generation generation) const noexcept {
    const std::uint64_t other_parity = ((word_ >> parity_bit) ^ generation) & 1;
    return value_at(other_parity * older_shift);
  }
  // What the writer sees: what the next generation will see, or sees since the flip.
  constexpr std::uint32_t newer() const noexcept { return value_at(0); }
  constexpr std::uint32_t older() const noexcept { return value_at(older_shift); }

  constexpr bool changed() const noexcept { return newer() != older(); }
  constexpr bool empty() const noexcept { return newer() == no_value && older() == no_value; }
  constexpr bool kept() const noexcept { return (word_ >> kept_bit & 1) != 0; }
  // Three bits for the owner of the word, untouched by all transitions below.
  constexpr std::uint32_t note() const noexcept {
    return static_cast<std::uint32_t>(word_ >> note_shift);
  }

  constexpr Version staged(std::uint32_t value, base::Generation generation) const noexcept {
    const std::uint64_t cleared = word_ & ~(value_mask | std::uint64_t{1} << parity_bit);
    return Version{cleared | stored(value) | (generation & 1) << parity_bit};
  }
  constexpr Version settled() const noexcept {
    return Version{(word_ & ~(value_mask << older_shift)) | (word_ & value_mask) << older_shift};
  }
  constexpr Version aborted() const noexcept {
    return Version{(word_ & ~value_mask) | (word_ >> older_shift & value_mask)};
  }
  constexpr Version with_kept(bool kept) const noexcept {
    const std::uint64_t bit = std::uint64_t{1} << kept_bit;
    return Version{kept ? word_ | bit : word_ & ~bit};
  }
  constexpr Version with_note(std::uint32_t note) const noexcept {
    constexpr std::uint64_t below = (std::uint64_t{1} << note_shift) - 1;
    return Version{(word_ & below) | std::uint64_t{note} << note_shift};
  }

 private:
  static constexpr std::uint64_t value_mask = no_value;
  static constexpr unsigned older_shift = 32;
  static constexpr unsigned kept_bit = 30;
  static constexpr unsigned parity_bit = 31;
  static constexpr unsigned note_shift = 61;

  static constexpr std::uint64_t stored(std::uint32_t value) noexcept {
    return ~std::uint64_t{value} & value_mask;
  }
  constexpr std::uint32_t value_at(std::uint64_t shift) const noexcept {
    return static_cast<std::uint32_t>(~(word_ >> shift) & value_mask);
  }

  std::uint64_t word_ = 0;
};

static_assert(sizeof(Version) == 8);
static_assert(Version{}.empty(), "zeroed memory must be an empty table");

}  // namespace dp
