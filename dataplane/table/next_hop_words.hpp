// SPDX-License-Identifier: Apache-2.0
// What changes about next hops while packets flow: whether frames may go there, and the MAC where
// it was resolved. One atomic word each, without versions: a link that goes down or a MAC that
// moves is one store, no transaction, and no VTEP is written anew.
//
//    63      62          61       48 47                        0
//   ┌──────┬───────────┬────────────┬──────────────────────────┐
//   │usable│ link down │     0      │ MAC as on the wire, or 0 │
//   └──────┴───────────┴────────────┴──────────────────────────┘
//    0 where the MAC is static: that is configuration, and stands in the VTEP's record. A resolved
//    one stays while it is not usable: batches under way may still look at it.
//
// A next hop has two words: one for what it is in the generation in force, one for what the next
// makes of it (another port or address). So a transaction writes no word that a packet reads.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/error.hpp"
#include "dataplane/base/id.hpp"
#include "dataplane/table/memory.hpp"

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

namespace dp {

class NextHopWord {
 public:
  constexpr NextHopWord() noexcept = default;
  constexpr explicit NextHopWord(std::uint64_t word) noexcept : word_(word) {}
  static NextHopWord make(bool usable, bool link_up, const base::MacAddress& mac) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, mac.bytes.data(), sizeof mac.bytes);
    word |= usable ? usable_bit : 0;
    word |= link_up ? 0 : link_down_bit;
    return NextHopWord(word);
  }

  constexpr std::uint64_t word() const noexcept { return word_; }
  constexpr bool usable() const noexcept { return (word_ & usable_bit) != 0; }
  constexpr bool link_down() const noexcept { return (word_ & link_down_bit) != 0; }
  // The MAC in the bytes that come first in memory, the others 0.
  constexpr std::uint64_t mac_bytes() const noexcept { return word_ & mac_mask; }

  friend constexpr bool operator==(const NextHopWord&, const NextHopWord&) = default;

 private:
  static constexpr std::uint64_t usable_bit = std::uint64_t{1} << 63;
  static constexpr std::uint64_t link_down_bit = std::uint64_t{1} << 62;
  static constexpr std::uint64_t mac_mask = (std::uint64_t{1} << 48) - 1;

  std::uint64_t word_ = 0;
};
static_assert(std::endian::native == std::endian::little, "the low bytes come first in memory");

// Number of a word; the two that no next hop has stand for VTEPs that name no next hop.
using NextHopPlace = std::uint16_t;
inline constexpr NextHopPlace never_usable = 0;
inline constexpr NextHopPlace always_usable = 1;

class NextHopWords {
 public:
  // For next hops 1..count.
  static base::Result<NextHopWords> make(std::uint32_t count) noexcept {
    auto memory = map_table_memory((std::size_t{count} + 1) * 2 * sizeof(std::uint64_t));
    if (!memory) return std::unexpected(memory.error());
    NextHopWords words(std::move(*memory), count);
    words.write(always_usable, NextHopWord::make(true, true, {}));
    return words;
  }

  static constexpr NextHopPlace place_of(base::NextHopId next_hop, unsigned which) noexcept {
    return static_cast<NextHopPlace>(2 * next_hop.value + which);
  }
  std::uint32_t count() const noexcept { return count_; }

  // Workers. Relaxed: a word stands for itself, and those of a new generation were written before
  // its flip.
  NextHopWord read(NextHopPlace place) const noexcept {
    return NextHopWord(std::atomic_ref(words_[place]).load(std::memory_order_relaxed));
  }
  // The housekeeper alone.
  void write(NextHopPlace place, NextHopWord word) noexcept {
    std::atomic_ref(words_[place]).store(word.word(), std::memory_order_relaxed);
  }

 private:
  NextHopWords(TableMemory memory, std::uint32_t count) noexcept
      : memory_(std::move(memory)),
        words_(reinterpret_cast<std::uint64_t*>(memory_.get())),
        count_(count) {}

  TableMemory memory_;
  std::uint64_t* words_;  // In memory_.
  std::uint32_t count_;
};

}  // namespace dp
