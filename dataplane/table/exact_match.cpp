// SPDX-License-Identifier: Apache-2.0
#include "dataplane/table/exact_match.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace dp {

namespace {

// `part` of 2^32 scaled to 0..count-1: a multiply where a remainder would divide.
std::uint32_t scale(std::uint32_t part, std::uint32_t count) noexcept {
  return static_cast<std::uint32_t>((std::uint64_t{part} * count) >> 32);
}

}  // namespace

// Simulated with 500,000 entries: at 8/11 load, a fill leaves 2.6 % of the entries to the overflow,
// and endless random replacement of entries in a full table 8 %; it has room for 12.5 %. Small
// tables spread more widely, hence the constant part. In all 24 bytes per entry and 1 KiB.
ExactMatch::Shape ExactMatch::shape_for(std::uint32_t capacity) noexcept {
  const std::uint32_t eighths = (capacity + 7) / 8;
  return {.main_buckets = std::max(2U, (eighths * 11 + 3) / 4),  // 2: primary and secondary differ.
          .overflow_buckets = (eighths + 3) / 4 + 16};
}

std::size_t ExactMatch::bytes_for(std::uint32_t capacity) noexcept {
  const Shape shape = shape_for(capacity);
  return (std::size_t{shape.main_buckets} + shape.overflow_buckets) * sizeof(Bucket);
}

ExactMatch::ExactMatch(std::uint32_t capacity, HashSeed seed, TableMemory memory,
                       Changes changes) noexcept
    : memory_(std::move(memory)),
      buckets_(reinterpret_cast<Bucket*>(memory_.get())),
      hash_(seed),
      shape_(shape_for(capacity)),
      capacity_(capacity),
      changes_(std::move(changes)),
      seed_(seed) {}

base::Result<ExactMatch> ExactMatch::make(std::uint32_t capacity, HashSeed seed) noexcept {
  if (capacity == 0 || capacity > capacity_max) {
    return base::fail(base::Errc::invalid_argument, "a table holds 1 to 100,000,000 entries");
  }
  auto memory = map_table_memory(bytes_for(capacity));
  if (!memory) return std::unexpected(memory.error());
  const Shape shape = shape_for(capacity);
  auto changes = Changes::make((shape.main_buckets + shape.overflow_buckets) * entries_per_bucket);
  if (!changes) return std::unexpected(changes.error());
  return ExactMatch(capacity, seed, std::move(*memory), std::move(*changes));
}

inline std::uint32_t ExactMatch::primary_of(std::uint64_t hash) const noexcept {
  return scale(static_cast<std::uint32_t>(hash >> 32), shape_.main_buckets);
}

inline ExactMatch::Home ExactMatch::home_of_hash(std::uint64_t hash) const noexcept {
  const auto low = static_cast<std::uint32_t>(hash);
  const auto middle = static_cast<std::uint32_t>(hash >> 16);
  Home home{.primary = primary_of(hash),
            .secondary = scale(low, shape_.main_buckets),
            .overflow = shape_.main_buckets + scale(middle, shape_.overflow_buckets)};
  if (home.secondary == home.primary) {
    home.secondary = home.primary + 1 < shape_.main_buckets ? home.primary + 1 : 0;
  }
  return home;
}

std::uint32_t ExactMatch::next_overflow(std::uint32_t bucket) const noexcept {
  const std::uint32_t end = shape_.main_buckets + shape_.overflow_buckets;
  return bucket + 1 < end ? bucket + 1 : shape_.main_buckets;
}

void ExactMatch::store_version(std::uint32_t slot, Version version) noexcept {
  std::uint64_t& word = buckets_[slot / entries_per_bucket].entries[slot % entries_per_bucket].word;
  std::atomic_ref(word).store(version.word(), std::memory_order_relaxed);
  note_change(slot);
}

void ExactMatch::store_key(std::uint32_t slot, std::uint64_t key) noexcept {
  std::uint64_t& field = buckets_[slot / entries_per_bucket].entries[slot % entries_per_bucket].key;
  std::atomic_ref(field).store(key, std::memory_order_relaxed);
  note_change(slot);
}

// Without branches: which of the four matches is as good as random to a branch predictor.
[[gnu::always_inline]] inline std::uint32_t ExactMatch::matches(std::uint32_t bucket,
                                                                std::uint64_t key) const noexcept {
  std::uint32_t mask = 0;
  for (std::uint32_t entry = 0; entry < entries_per_bucket; ++entry) {
    mask |= static_cast<std::uint32_t>(key_of(bucket, entry) == key) << entry;
  }
  return mask;
}

std::uint32_t ExactMatch::find_displaced(const Home& home, std::uint64_t key) const noexcept {
  if (version_of(home.primary, 0).note() == 0) return no_slot;
  const std::uint32_t found = matches(home.secondary, key);
  if (found != 0) return home.secondary * entries_per_bucket + std::countr_zero(found);
  if (version_of(home.primary, 1).note() == 0) return no_slot;

  std::uint32_t bucket = home.overflow;
  for (std::uint32_t walked = 0; walked < shape_.overflow_buckets; ++walked) {
    const std::uint32_t mask = matches(bucket, key);
    if (mask != 0) return bucket * entries_per_bucket + std::countr_zero(mask);
    if (version_of(bucket, 0).note() == 0) return no_slot;
    bucket = next_overflow(bucket);
  }
  return no_slot;
}

std::uint32_t ExactMatch::find_slot(std::uint64_t key) const noexcept {
  if (key == 0) return no_slot;
  const Home home = home_of(key);
  const std::uint32_t mask = matches(home.primary, key);
  if (mask != 0) return home.primary * entries_per_bucket + std::countr_zero(mask);
  return find_displaced(home, key);
}

std::uint32_t ExactMatch::lookup(std::uint64_t key, base::Generation generation) const noexcept {
  const std::uint32_t slot = find_slot(key);
  return slot == no_slot ? no_value : version_at(slot).seen_by(generation);
}

// The word of `key` in its bucket, or that of an absent entry. Without a branch, and unrolled by
// hand because g++ 12 does not: a loop of four costs three times as much.
inline Version ExactMatch::find_word(const Bucket& bucket, std::uint64_t key) noexcept {
  const auto select = [&](std::uint32_t entry, std::uint64_t otherwise) {
    const std::uint64_t word = version_in(bucket, entry).word();
    return key_in(bucket, entry) == key ? word : otherwise;
  };
  return Version{select(0, select(1, select(2, select(3, Version().word()))))};
}

void ExactMatch::lookup_bulk(const std::uint64_t* keys, std::uint32_t n,
                             base::Generation generation, std::uint32_t* values) const noexcept {
  const Bucket* primaries[lookups_max];
  // All lines are on their way before the first is read: at 1M entries each is a cache miss.
  for (std::uint32_t i = 0; i < n; ++i) {
    primaries[i] = &buckets_[primary_of(hash_(keys[i]))];
    __builtin_prefetch(primaries[i]);
  }

  // Those that the primary bucket does not decide are put aside, without a branch: which ones is as
  // good as random, and a misprediction costs as much as two lookups.
  std::uint8_t undecided[lookups_max];
  std::uint32_t undecided_count = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    const Bucket& bucket = *primaries[i];
    const std::uint32_t value = find_word(bucket, keys[i]).seen_by(generation);
    values[i] = value;

    const bool displaced_any = version_in(bucket, 0).note() != 0;
    undecided[undecided_count] = static_cast<std::uint8_t>(i);
    undecided_count += static_cast<std::uint32_t>((value == no_value) & displaced_any);
  }

  for (std::uint32_t k = 0; k < undecided_count; ++k) {
    __builtin_prefetch(&buckets_[home_of(keys[undecided[k]]).secondary]);
  }
  for (std::uint32_t k = 0; k < undecided_count; ++k) {
    const std::uint32_t i = undecided[k];
    const std::uint32_t slot = find_displaced(home_of(keys[i]), keys[i]);
    if (slot != no_slot) values[i] = version_at(slot).seen_by(generation);
  }
}

base::Status ExactMatch::set(std::uint64_t key, std::uint32_t value,
                             base::Generation next) noexcept {
  if (key == 0 || value >= no_value) {
    return base::fail(base::Errc::invalid_argument, "a key is not 0 and a value below 2^29-1");
  }
  if (auto open = changes_.open(next); !open) return open;

  std::uint32_t slot = find_slot(key);
  Version before = slot == no_slot ? Version() : version_at(slot);
  const bool is_new = before.newer() == no_value;
  // In a replace-all, what was not set (yet) makes room.
  const std::uint32_t wanted = replacing_ ? kept_ - (before.kept() ? 1 : 0) + 1 : size_ + is_new;
  if (wanted > capacity_) return base::fail(base::Errc::table_full, "the table is full");
  if (slot == no_slot) {
    slot = take_slot(home_of(key));
    if (slot == no_slot) return base::fail(base::Errc::table_full, "the table is full");
    // The note is the slot's, whoever the entry belongs to.
    before = version_at(slot);
    store_key(slot, key);
  }

  if (replacing_) kept_ = wanted;
  size_ += static_cast<std::uint32_t>(is_new);
  // The same value again is no change, and nothing to settle.
  const Version after = before.newer() == value ? before : before.staged(value, next);
  stage(slot, before, after.with_kept(replacing_));
  return {};
}

base::Status ExactMatch::remove(std::uint64_t key, base::Generation next) noexcept {
  const std::uint32_t slot = find_slot(key);
  if (slot == no_slot || version_at(slot).newer() == no_value) {
    return base::fail(base::Errc::not_found, "no such entry");
  }
  if (auto open = changes_.open(next); !open) return open;

  const Version before = version_at(slot);
  if (before.kept()) --kept_;
  --size_;
  const Version after = before.staged(no_value, next).with_kept(false);
  stage(slot, before, after);
  // Was new in this transaction: no reader has ever seen it, so its slot is free at once.
  if (after.empty()) release_slot(slot);
  return {};
}

std::uint32_t ExactMatch::find_staged(std::uint64_t key) const noexcept {
  const std::uint32_t slot = find_slot(key);
  return slot == no_slot ? no_value : version_at(slot).newer();
}

base::Status ExactMatch::begin_replace(base::Generation next) noexcept {
  if (auto open = changes_.open(next); !open) return open;
  if (replacing_) return base::fail(base::Errc::wrong_state, "a replace-all is under way");
  replacing_ = true;
  kept_ = 0;
  sweep_cursor_ = 0;
  // Marks must go even where values did not change, and nothing lists those.
  changes_.add_all();
  return {};
}

bool ExactMatch::settle(std::uint32_t slots_max) noexcept {
  return changes_.settle(slots_max, [this](std::uint32_t slot) {
    const Version version = version_at(slot);
    finish_slot(slot, version, version.settled());
  });
}

bool ExactMatch::abort(std::uint32_t slots_max) noexcept {
  replacing_ = false;
  return changes_.abort(slots_max, [this](std::uint32_t slot) {
    const Version version = version_at(slot);
    size_ -= static_cast<std::uint32_t>(version.newer() != no_value);
    size_ += static_cast<std::uint32_t>(version.older() != no_value);
    finish_slot(slot, version, version.aborted());
  });
}

// A walk visits every slot, so what is right already is not written: that would take the line away
// from the workers' caches.
void ExactMatch::finish_slot(std::uint32_t slot, Version before, Version after) noexcept {
  after = after.with_kept(false);
  if (after.word() == before.word()) return;
  store_version(slot, after);
  if (after.empty()) release_slot(slot);
}

void ExactMatch::stage(std::uint32_t slot, Version before, Version after) noexcept {
  store_version(slot, after);
  if (after.changed() && !before.changed()) changes_.add(slot);
}

std::uint32_t ExactMatch::free_entry(std::uint32_t bucket) const noexcept {
  for (std::uint32_t entry = 0; entry < entries_per_bucket; ++entry) {
    if (version_of(bucket, entry).empty()) return bucket * entries_per_bucket + entry;
  }
  return no_slot;
}

// A free slot for a key with this home, with the notes that lead readers to it; no_slot, and no
// note touched, where all is full.
std::uint32_t ExactMatch::take_slot(const Home& home) noexcept {
  std::uint32_t slot = free_entry(home.primary);
  if (slot != no_slot) return slot;

  slot = free_entry(home.secondary);
  if (slot != no_slot) {
    count_note(home.primary, 0, true);
    return slot;
  }

  std::uint32_t bucket = home.overflow;
  for (std::uint32_t walked = 0; walked < shape_.overflow_buckets; ++walked) {
    slot = free_entry(bucket);
    if (slot != no_slot) break;
    bucket = next_overflow(bucket);
  }
  if (slot == no_slot) return no_slot;

  count_note(home.primary, 0, true);
  count_note(home.primary, 1, true);
  for (std::uint32_t passed = home.overflow; passed != bucket; passed = next_overflow(passed)) {
    count_note(passed, 0, true);
  }
  return slot;
}

// Takes back what take_slot noted for the slot's key. No reader that still runs can see the entry.
void ExactMatch::release_slot(std::uint32_t slot) noexcept {
  const std::uint32_t bucket = slot / entries_per_bucket;
  const std::uint64_t key = key_of(bucket, slot % entries_per_bucket);
  if (key == 0) return;  // Released already: a slot can be listed twice.
  store_key(slot, 0);

  const Home home = home_of(key);
  if (bucket == home.primary) return;
  count_note(home.primary, 0, false);
  if (bucket == home.secondary) return;
  count_note(home.primary, 1, false);
  for (std::uint32_t passed = home.overflow; passed != bucket; passed = next_overflow(passed)) {
    count_note(passed, 0, false);
  }
}

// A count that has reached note_max is no longer known and stays: readers then look on in vain,
// which is slower but right.
void ExactMatch::count_note(std::uint32_t bucket, std::uint32_t entry, bool up) noexcept {
  const Version version = version_of(bucket, entry);
  if (version.note() == Version::note_max) return;
  const std::uint32_t note = up ? version.note() + 1 : version.note() - 1;
  store_version(bucket * entries_per_bucket + entry, version.with_note(note));
}

base::Status ExactMatch::note_changes() noexcept {
  auto memory = map_table_memory(changed_words() * sizeof(std::uint64_t));
  if (!memory) return std::unexpected(memory.error());
  changed_memory_ = std::move(*memory);
  changed_ = reinterpret_cast<std::uint64_t*>(changed_memory_.get());
  return {};
}

void ExactMatch::clear() noexcept {
  std::memset(memory_.get(), 0, bytes());
  size_ = 0;
}

// Counts size_ on the way. A pass without branches, as a million entries are to take 4 ms: what it
// sees is added up. That a lookup finds each entry, that no key is there twice and that the notes
// are right it takes from who wrote it; asking each of them took eight times as long.
bool ExactMatch::is_sound() {
  const std::uint32_t buckets = shape_.main_buckets + shape_.overflow_buckets;
  std::uint32_t used = 0;
  std::uint32_t wrong = 0;
  for (std::uint32_t bucket = 0; bucket < buckets; ++bucket) {
    for (std::uint32_t entry = 0; entry < entries_per_bucket; ++entry) {
      const std::uint64_t key = key_of(bucket, entry);
      const Version version = version_of(bucket, entry);
      const Home home = home_of(key);
      // Numbers, which may be put together without a branch.
      const auto number = [](bool is) {
        return static_cast<std::uint32_t>(is);
      };
      const std::uint32_t is_used = number(key != 0);
      const std::uint32_t is_lost = number(bucket != home.primary) &
                                    number(bucket != home.secondary) &
                                    number(bucket < shape_.main_buckets);
      used += is_used;
      wrong += number(version.changed()) | number(version.kept()) |
               number(version.empty() == (key != 0)) | (is_lost & is_used);
    }
  }
  size_ = used;
  return wrong == 0 && used <= capacity_;
}

}  // namespace dp
