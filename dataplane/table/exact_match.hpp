// SPDX-License-Identifier: Apache-2.0
// 64-bit key → 29-bit value, in two versions: what the generation in force has, and what the next
// will have. Workers look up without locks; the housekeeper alone changes it. Key 0 is never a key.
//
// One transaction for T = G+1: set() and remove() while all batches run under G; Epoch::flip();
// when Epoch::all_passed(): settle() until it returns false; then the next. Or abort() before the
// flip. Removed entries keep their slot until settled: it is the readers at G who still need them.
//
//     buckets of 64 bytes (one cache line), 4 entries of {key, Version}:
//
//     ┌──────────────── main: 11/8 of the capacity ───────────────┬── overflow: 1/8, and 64 ──┐
//     │ [kv kv kv kv] [kv kv kv kv] [kv kv kv kv] …               │ [kv kv kv kv] …           │
//     └───────▲───────────────▲───────────────────────────────────┴───────▲────►──────────────┘
//             1 primary       2 secondary, if the primary was full        3 from here on, if both
//             were
//
//     Notes (Version::note) of a bucket, counts that stick at note_max:
//       main, entry 0: keys with this primary that lie elsewhere
//       main, entry 1: those of them that lie in the overflow
//       overflow, entry 0: keys that lie further on because this bucket was full
//     So most lookups, misses too, read one line.
//
// An entry never moves, and its slot gets another key only after it is settled as absent. Each
// interleaving then follows from one invariant: *a slot whose key changes is absent for the
// generation in force, before and after, until the flip*. A batch at G that has read
//   - the old key, then the new entry's word: sees `older`, absent, which is right for the old key;
//   - the new key, then the old entry's word: sees absent, which is right for the new key;
//   - neither: absent.
// A batch at T began after the flip and, by its acquire, sees all that was staged for T, slots
// freed before and notes included. It may run until settle() of T+1 and no longer (version.hpp), so
// it can see a slot be freed and taken again once, for T+1: the case above, one generation on. A
// second live slot for a key cannot be: set() finds a removed, unsettled entry and revives it.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/base/id.hpp"
#include "dataplane/table/changes.hpp"
#include "dataplane/table/hash.hpp"
#include "dataplane/table/memory.hpp"
#include "dataplane/table/version.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace dp {

class ExactMatch {
 public:
  static constexpr std::uint32_t no_value = dp::no_value;
  static constexpr std::uint32_t capacity_max = 100'000'000;  // So that slot numbers fit 32 bits.
  static constexpr std::uint32_t lookups_max = 64;            // Of one lookup_bulk.
  static constexpr std::uint32_t unlimited = std::numeric_limits<std::uint32_t>::max();

  // `capacity` entries always fit for keys chosen without knowing the seed.
  static base::Result<ExactMatch> make(std::uint32_t capacity, HashSeed seed) noexcept;
  static std::size_t bytes_for(std::uint32_t capacity) noexcept;

  // Workers. `generation` is what Epoch::enter_batch returned, the same for the whole batch.
  std::uint32_t lookup(std::uint64_t key, base::Generation generation) const noexcept;
  // values[i] for keys[i]; n ≤ lookups_max.
  void lookup_bulk(const std::uint64_t* keys, std::uint32_t n, base::Generation generation,
                   std::uint32_t* values) const noexcept;

  // A key for 128 bits, above all of 63 bits. By the table's secret, so that outsiders cannot look
  // for two that share one; some do, so what is found must be compared with what was sought.
  std::uint64_t shorten(std::uint64_t first, std::uint64_t second) const noexcept {
    return hash_(hash_(first) ^ second) | std::uint64_t{1} << 63;
  }

  // The housekeeper; nothing below allocates. `next` is the generation in the making, G+1. A
  // refused change changes nothing: table_full, wrong_state (unsettled), invalid_argument,
  // not_found.
  base::Status set(std::uint64_t key, std::uint32_t value, base::Generation next) noexcept;
  base::Status remove(std::uint64_t key, base::Generation next) noexcept;
  // What the transaction has made of it so far; no_value: absent.
  std::uint32_t find_staged(std::uint64_t key) const noexcept;

  // Replace-all: begin_replace(), then set() whatever shall be there, then sweep() until it returns
  // false: it removes what was not set, looking at `slots_max` slots a call.
  base::Status begin_replace(base::Generation next) noexcept;
  // removed(key, value) for each of them.
  template <class F>
  bool sweep(base::Generation next, std::uint32_t slots_max, F&& removed) noexcept;
  bool sweep(base::Generation next, std::uint32_t slots_max = unlimited) noexcept {
    return sweep(next, slots_max, [](std::uint64_t, std::uint32_t) {});
  }

  // Only when every worker has passed the flip. True: more to be done. Looks at `slots_max` slots.
  bool settle(std::uint32_t slots_max = unlimited) noexcept;
  // Back to what is in force; only before the flip. True: more to be done.
  bool abort(std::uint32_t slots_max = unlimited) noexcept;

  // Entries as the housekeeper sees them, changes of the transaction included.
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t capacity() const noexcept { return capacity_; }
  std::size_t bytes() const noexcept { return bytes_for(capacity_); }
  HashSeed seed() const noexcept { return seed_; }
  // f(key, value) for each of them, in no order.
  template <class F>
  void for_each(F&& f) const noexcept;

  // A successor's table, before anybody looks anything up; this one is empty. `fill(memory)` brings
  // what another process had in a table of this capacity and that seed, and vouches for it.
  // Refused, and this empty as before, unless each entry is settled and in a bucket where its key
  // is sought.
  template <class F>
  base::Status adopt(HashSeed seed, F&& fill);
  // Back to empty; nobody looks anything up.
  void clear() noexcept;
  // From here on what changes is noted, for take_changed(): 1 bit per KiB.
  base::Status note_changes() noexcept;
  // visit(offset, bytes) for a stretch of memory, up to 64 KiB, that changed since it was last
  // visited; false: there is none, and nothing was visited.
  template <class F>
  bool take_changed(F&& visit) noexcept;

 private:
  static constexpr std::uint32_t entries_per_bucket = 4;
  static constexpr std::uint32_t slots_per_part = 64;  // 1 KiB, the grain of take_changed().
  static constexpr std::uint32_t no_slot = std::numeric_limits<std::uint32_t>::max();

  // Written by the housekeeper, read by workers, through the atomic accessors below only.
  struct Entry {
    std::uint64_t key;
    std::uint64_t word;
  };
  struct alignas(64) Bucket {
    Entry entries[entries_per_bucket];
  };
  static_assert(sizeof(Bucket) == 64, "one lookup, one cache line");

  struct Shape {
    std::uint32_t main_buckets;
    std::uint32_t overflow_buckets;
  };
  struct Home {
    std::uint32_t primary;
    std::uint32_t secondary;  // Never the primary.
    std::uint32_t overflow;   // Where the search in the overflow begins.
  };

  ExactMatch(std::uint32_t capacity, HashSeed seed, TableMemory memory, Changes changes) noexcept;
  static Shape shape_for(std::uint32_t capacity) noexcept;

  Home home_of(std::uint64_t key) const noexcept { return home_of_hash(hash_(key)); }
  std::uint32_t primary_of(std::uint64_t hash) const noexcept;
  Home home_of_hash(std::uint64_t hash) const noexcept;
  std::uint32_t next_overflow(std::uint32_t bucket) const noexcept;

  // Relaxed: version.hpp and the head of this file say why no stronger order is needed.
  static std::uint64_t key_in(const Bucket& bucket, std::uint32_t entry) noexcept {
    // Until C++26, atomic_ref takes no const object.
    auto& key = const_cast<std::uint64_t&>(bucket.entries[entry].key);
    return std::atomic_ref(key).load(std::memory_order_relaxed);
  }
  static Version version_in(const Bucket& bucket, std::uint32_t entry) noexcept {
    auto& word = const_cast<std::uint64_t&>(bucket.entries[entry].word);
    return Version{std::atomic_ref(word).load(std::memory_order_relaxed)};
  }
  std::uint64_t key_of(std::uint32_t bucket, std::uint32_t entry) const noexcept {
    return key_in(buckets_[bucket], entry);
  }
  Version version_of(std::uint32_t bucket, std::uint32_t entry) const noexcept {
    return version_in(buckets_[bucket], entry);
  }
  Version version_at(std::uint32_t slot) const noexcept {
    return version_of(slot / entries_per_bucket, slot % entries_per_bucket);
  }
  void store_version(std::uint32_t slot, Version version) noexcept;
  void store_key(std::uint32_t slot, std::uint64_t key) noexcept;
  void note_change(std::uint32_t slot) noexcept {
    if (changed_ == nullptr) return;
    const std::uint32_t part = slot / slots_per_part;
    changed_[part / 64] |= std::uint64_t{1} << part % 64;
  }
  // The words of changed_.
  std::uint32_t changed_words() const noexcept {
    return (slot_count() + 64 * slots_per_part - 1) / (64 * slots_per_part);
  }
  std::uint32_t slot_count() const noexcept {
    return (shape_.main_buckets + shape_.overflow_buckets) * entries_per_bucket;
  }
  bool is_sound();

  static Version find_word(const Bucket& bucket, std::uint64_t key) noexcept;
  // One bit per entry of `bucket` that holds `key`.
  std::uint32_t matches(std::uint32_t bucket, std::uint64_t key) const noexcept;
  // The search behind the primary bucket; no_slot where absent.
  std::uint32_t find_displaced(const Home& home, std::uint64_t key) const noexcept;
  std::uint32_t find_slot(std::uint64_t key) const noexcept;

  std::uint32_t free_entry(std::uint32_t bucket) const noexcept;
  std::uint32_t take_slot(const Home& home) noexcept;
  void release_slot(std::uint32_t slot) noexcept;
  void count_note(std::uint32_t bucket, std::uint32_t entry, bool up) noexcept;
  void stage(std::uint32_t slot, Version before, Version after) noexcept;
  void finish_slot(std::uint32_t slot, Version before, Version after) noexcept;

  TableMemory memory_;
  Bucket* buckets_;  // In memory_.
  KeyedHash hash_;
  Shape shape_;
  std::uint32_t capacity_;

  Changes changes_;
  std::uint32_t size_ = 0;
  std::uint32_t kept_ = 0;          // Entries set since begin_replace().
  std::uint32_t sweep_cursor_ = 0;  // The next slot that sweep() looks at.
  bool replacing_ = false;

  HashSeed seed_;
  TableMemory changed_memory_;
  std::uint64_t* changed_ = nullptr;  // In changed_memory_; a bit per part. Null: nobody asks.
  std::uint32_t changed_cursor_ = 0;
};

template <class F>
bool ExactMatch::sweep(base::Generation next, std::uint32_t slots_max, F&& removed) noexcept {
  if (!replacing_) return false;
  const std::uint32_t end = slot_count();
  for (; sweep_cursor_ < end && slots_max > 0; ++sweep_cursor_, --slots_max) {
    const Version before = version_at(sweep_cursor_);
    if (before.newer() == no_value || before.kept()) continue;
    removed(key_of(sweep_cursor_ / entries_per_bucket, sweep_cursor_ % entries_per_bucket),
            before.newer());
    // Not new in this transaction, or it would be kept: readers see it, so its slot stays taken
    // until settled, unless it was set before begin_replace().
    const Version after = before.staged(no_value, next);
    stage(sweep_cursor_, before, after);
    --size_;
    if (after.empty()) release_slot(sweep_cursor_);
  }
  if (sweep_cursor_ < end) return true;
  replacing_ = false;
  return false;
}

template <class F>
base::Status ExactMatch::adopt(HashSeed seed, F&& fill) {
  const HashSeed own = seed_;
  seed_ = seed;
  hash_ = KeyedHash(seed);
  base::Status status = fill(std::span<std::byte>(memory_.get(), bytes()));
  if (status && !is_sound()) status = base::fail(base::Errc::malformed, "holds no sound table");
  if (status) return status;
  clear();
  seed_ = own;
  hash_ = KeyedHash(own);
  return status;
}

template <class F>
bool ExactMatch::take_changed(F&& visit) noexcept {
  const std::uint32_t words = changed_ != nullptr ? changed_words() : 0;
  while (changed_cursor_ < words && changed_[changed_cursor_] == 0) ++changed_cursor_;
  if (changed_cursor_ == words) {
    changed_cursor_ = 0;
    return false;
  }
  std::uint64_t& word = changed_[changed_cursor_];
  const auto first = static_cast<std::size_t>(std::countr_zero(word));
  const auto count = static_cast<std::size_t>(std::countr_one(word >> first));
  // Two shifts, as one by 64 has no meaning.
  word &= ~(~std::uint64_t{0} >> (64 - count) << first);

  constexpr std::size_t part_bytes = slots_per_part * sizeof(Entry);
  const std::size_t offset = (std::size_t{changed_cursor_} * 64 + first) * part_bytes;
  const std::size_t size = std::min(count * part_bytes, bytes() - offset);
  visit(offset, std::span<const std::byte>(memory_.get() + offset, size));
  return true;
}

template <class F>
void ExactMatch::for_each(F&& f) const noexcept {
  const std::uint32_t bucket_count = shape_.main_buckets + shape_.overflow_buckets;
  for (std::uint32_t bucket = 0; bucket < bucket_count; ++bucket) {
    for (std::uint32_t entry = 0; entry < entries_per_bucket; ++entry) {
      const std::uint32_t value = version_of(bucket, entry).newer();
      if (value != no_value) f(key_of(bucket, entry), value);
    }
  }
}

}  // namespace dp
