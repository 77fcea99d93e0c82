// SPDX-License-Identifier: Apache-2.0
// The exact-match table at its capacity: what always fits, what is refused, keys that collide.
#include "dataplane/table/exact_match.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace {

using dp::ExactMatch;
using dp::HashSeed;
using dp::no_value;

ExactMatch make_table(std::uint32_t capacity, HashSeed seed) {
  auto table = ExactMatch::make(capacity, seed);
  EXPECT_TRUE(table.has_value());
  return std::move(*table);
}

void settle_all(ExactMatch& table) {
  while (table.settle()) {
  }
}

HashSeed seed_from(std::mt19937_64& random) {
  return {random(), random()};
}

std::vector<std::uint64_t> distinct_keys(std::uint32_t count, std::mt19937_64& random) {
  std::unordered_set<std::uint64_t> keys;
  while (keys.size() < count) keys.insert(random() | 1);
  return {keys.begin(), keys.end()};
}

// What endpoints look like: network in the upper 16 bits, MACs of one vendor counted up.
std::vector<std::uint64_t> endpoint_keys(std::uint32_t count) {
  std::vector<std::uint64_t> keys;
  for (std::uint64_t i = 0; i < count; ++i) {
    keys.push_back((1 + i % 100) << 48 | (0x0200'0000'0000 + i / 100));
  }
  return keys;
}

void expect_all_fit(std::uint32_t capacity, HashSeed seed, const std::vector<std::uint64_t>& keys) {
  ExactMatch table = make_table(capacity, seed);
  for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_TRUE(table.set(keys[i], i, 1)) << i;
  settle_all(table);

  EXPECT_EQ(table.size(), capacity);
  for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_EQ(table.lookup(keys[i], 1), i);
}

TEST(FullTable, takes_100000_entries_under_every_seed) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 3; ++i) {
    const auto keys = distinct_keys(100'000, random);
    expect_all_fit(100'000, seed_from(random), keys);
    expect_all_fit(100'000, seed_from(random), endpoint_keys(100'000));
  }
}

TEST(FullTable, takes_a_million_entries) {
  std::mt19937_64 random(2);
  expect_all_fit(1'000'000, seed_from(random), endpoint_keys(1'000'000));
}

TEST(FullTable, takes_its_capacity_however_small) {
  std::mt19937_64 random(3);
  for (std::uint32_t capacity = 1; capacity <= 600; ++capacity) {
    expect_all_fit(capacity, seed_from(random), distinct_keys(capacity, random));
  }
}

TEST(FullTable, needs_at_most_24_bytes_per_entry_and_a_kilobyte) {
  for (std::uint32_t capacity : {1'000U, 65'536U, 100'000U, 1'000'000U}) {
    EXPECT_LE(ExactMatch::bytes_for(capacity), 24 * std::size_t{capacity} + 1024 + 4 * 64);
  }
}

// Each transaction replaces 1,000 random entries of a full table by new ones.
TEST(FullTable, takes_endless_replacement) {
  constexpr std::uint32_t capacity = 100'000;
  std::mt19937_64 random(4);
  auto keys = distinct_keys(capacity, random);
  ExactMatch table = make_table(capacity, seed_from(random));
  for (std::uint64_t key : keys) ASSERT_TRUE(table.set(key, 1, 1));
  settle_all(table);

  for (base::Generation next = 2; next < 800; ++next) {
    for (int i = 0; i < 1000; ++i) {
      std::uint64_t& key = keys[random() % capacity];
      ASSERT_TRUE(table.remove(key, next));
      key = random() | 1;
      ASSERT_TRUE(table.set(key, 2, next)) << "generation " << next;
    }
    settle_all(table);
  }

  EXPECT_EQ(table.size(), capacity);
  for (std::uint64_t key : keys) ASSERT_NE(table.lookup(key, 800), no_value);
}

// Removed entries keep their slots until they are settled, so that there is an end even below the
// capacity; it must leave no trace.
TEST(FullTable, refuses_when_slots_run_out_and_changes_nothing) {
  constexpr std::uint32_t capacity = 1000;
  std::mt19937_64 random(5);
  const auto keys = distinct_keys(3 * capacity, random);
  ExactMatch table = make_table(capacity, seed_from(random));
  for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_TRUE(table.set(keys[i], i, 1));
  settle_all(table);
  for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_TRUE(table.remove(keys[i], 2));

  std::uint32_t taken = capacity;
  while (taken < 2 * capacity && table.set(keys[taken], taken, 2)) ++taken;

  ASSERT_LT(taken, 2 * capacity);
  EXPECT_GT(taken, capacity + capacity / 4);
  EXPECT_EQ(table.size(), taken - capacity);
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t key = keys[2 * capacity + i];
    const auto refused = table.set(key, 7, 2);
    if (refused) {
      ASSERT_TRUE(table.remove(key, 2));
    } else {
      ASSERT_EQ(refused.error().code, base::Errc::table_full);
    }
  }
  for (std::uint32_t i = 0; i < 3 * capacity; ++i) {
    const bool in_force = i < capacity;
    const bool staged = !in_force && i < taken;
    ASSERT_EQ(table.lookup(keys[i], 1), in_force ? i : no_value);
    ASSERT_EQ(table.lookup(keys[i], 2), staged ? i : no_value);
  }

  table.abort();
  EXPECT_EQ(table.size(), capacity);
  for (std::uint32_t i = 0; i < capacity; ++i) ASSERT_EQ(table.lookup(keys[i], 2), i);
  for (std::uint32_t i = capacity; i < 3 * capacity; ++i) {
    ASSERT_EQ(table.lookup(keys[i], 2), no_value);
  }
}

// Keys with equal upper bits in both halves of the hash share both buckets; whoever knows the seed
// finds them, nobody else does.
std::vector<std::uint64_t> colliding_keys(std::uint32_t count, HashSeed seed) {
  const dp::KeyedHash hash(seed);
  std::vector<std::uint64_t> keys;
  for (std::uint64_t key = 1; keys.size() < count; ++key) {
    const std::uint64_t value = hash(key);
    if (value >> 57 == 0 && (value & 0xffff'ffff) >> 25 == 0) keys.push_back(key);
  }
  return keys;
}

TEST(FullTable, finds_keys_that_all_collide) {
  constexpr std::uint32_t capacity = 64;
  std::mt19937_64 random(6);
  const HashSeed seed = seed_from(random);
  const auto keys = colliding_keys(capacity, seed);
  ExactMatch table = make_table(capacity, seed);

  for (base::Generation next = 1; next < 200; ++next) {
    std::unordered_map<std::uint64_t, std::uint32_t> model;
    for (std::uint64_t key : keys) {
      if (random() % 2 == 0) {
        model[key] = static_cast<std::uint32_t>(random() % 100);
        ASSERT_TRUE(table.set(key, model[key], next));
      } else {
        (void)table.remove(key, next);  // Absent or not, it shall be gone.
      }
    }
    settle_all(table);

    std::uint32_t values[capacity];
    table.lookup_bulk(keys.data(), capacity, next, values);
    for (std::uint32_t i = 0; i < capacity; ++i) {
      ASSERT_EQ(values[i], model.contains(keys[i]) ? model[keys[i]] : no_value);
      ASSERT_EQ(table.lookup(keys[i], next), values[i]);
    }
  }
}

// An abort frees every slot that the transaction took, or the later ones would be refused.
TEST(FullTable, aborted_bulk_load_leaves_room_for_the_next) {
  constexpr std::uint32_t capacity = 20'000;
  std::mt19937_64 random(7);
  ExactMatch table = make_table(capacity, seed_from(random));

  for (int attempt = 0; attempt < 20; ++attempt) {
    for (std::uint64_t key : distinct_keys(capacity, random)) {
      ASSERT_TRUE(table.set(key, 1, 1)) << "attempt " << attempt;
    }
    while (table.abort(1000)) {
    }
    ASSERT_EQ(table.size(), 0U);
  }
}

TEST(KeyedHash, depends_on_every_bit_of_key_and_seed) {
  std::mt19937_64 random(8);
  for (int bit = 0; bit < 64; ++bit) {
    // Of 64 output bits 32 change on average; the mean of 1,000 is within 1 but for bad luck.
    int changed_by_key = 0;
    int changed_by_seed = 0;
    for (int i = 0; i < 1000; ++i) {
      const HashSeed seed = seed_from(random);
      const std::uint64_t key = random();
      const std::uint64_t flip = std::uint64_t{1} << bit;
      const std::uint64_t hash = dp::KeyedHash(seed)(key);
      changed_by_key += std::popcount(hash ^ dp::KeyedHash(seed)(key ^ flip));
      changed_by_seed += std::popcount(hash ^ dp::KeyedHash({seed.low ^ flip, seed.high})(key));
    }
    EXPECT_NEAR(changed_by_key / 1000.0, 32, 1) << "key bit " << bit;
    EXPECT_NEAR(changed_by_seed / 1000.0, 32, 1) << "seed bit " << bit;
  }
}

TEST(KeyedHash, seeds_are_random) {
  const HashSeed one = dp::random_seed();
  const HashSeed other = dp::random_seed();

  EXPECT_TRUE(one.low != other.low && one.high != other.high);
}

}  // namespace
