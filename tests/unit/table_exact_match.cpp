// SPDX-License-Identifier: Apache-2.0
// The exact-match table against a model: random operations, and after each of them what a batch of
// the generation in force and (once flipped) of the next one sees.
#include "dataplane/table/exact_match.hpp"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>
#include <vector>

namespace {

using dp::ExactMatch;
using dp::no_value;
using Model = std::unordered_map<std::uint64_t, std::uint32_t>;

constexpr dp::HashSeed seed{0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344};

ExactMatch make_table(std::uint32_t capacity, dp::HashSeed with = seed) {
  auto table = ExactMatch::make(capacity, with);
  EXPECT_TRUE(table.has_value());
  return std::move(*table);
}

std::uint32_t value_in(const Model& model, std::uint64_t key) {
  const auto found = model.find(key);
  return found == model.end() ? no_value : found->second;
}

// What readers of `generation` see of keys 1..key_max, by both kinds of lookup, is the model.
void expect_seen(const ExactMatch& table, base::Generation generation, const Model& model,
                 std::uint64_t key_max) {
  std::vector<std::uint64_t> keys;
  for (std::uint64_t key = 1; key <= key_max; ++key) {
    ASSERT_EQ(table.lookup(key, generation), value_in(model, key))
        << "key " << key << " generation " << generation;
    keys.push_back(key);
  }
  for (std::size_t from = 0; from < keys.size(); from += ExactMatch::lookups_max) {
    const auto n = static_cast<std::uint32_t>(
        std::min<std::size_t>(ExactMatch::lookups_max, keys.size() - from));
    std::uint32_t values[ExactMatch::lookups_max];
    table.lookup_bulk(&keys[from], n, generation, values);
    for (std::uint32_t i = 0; i < n; ++i) {
      ASSERT_EQ(values[i], value_in(model, keys[from + i])) << "in bulk, key " << keys[from + i];
    }
  }
}

void settle_all(ExactMatch& table) {
  while (table.settle(16)) {
  }
}

class RandomOperations {
 public:
  RandomOperations(std::uint32_t capacity, std::uint64_t key_max, unsigned random_seed)
      : table_(make_table(capacity)), key_max_(key_max), random_(random_seed) {}

  void run(int transactions) {
    for (int i = 0; i < transactions && !testing::Test::HasFatalFailure(); ++i) transaction();
  }

 private:
  void transaction() {
    Model next = in_force_;
    const base::Generation generation = generation_ + 1;
    if (random_() % 8 == 0) {
      replace_all(next, generation);
    } else {
      const auto changes = random_() % 40;
      for (unsigned i = 0; i < changes; ++i) change(next, generation);
    }
    expect_both(next, generation);

    if (random_() % 4 == 0) {
      while (table_.abort(1 + random_() % 32))
        expect_seen(table_, generation_, in_force_, key_max_);
    } else {
      expect_seen(table_, generation, next, key_max_);
      generation_ = generation;
      in_force_ = next;
      while (table_.settle(1 + random_() % 32)) {
        expect_seen(table_, generation_, in_force_, key_max_);
      }
    }
    expect_seen(table_, generation_, in_force_, key_max_);
    ASSERT_EQ(table_.size(), in_force_.size());
  }

  void change(Model& next, base::Generation generation) {
    const std::uint64_t key = 1 + random_() % key_max_;
    if (random_() % 3 == 0) {
      const bool removed = table_.remove(key, generation).has_value();
      ASSERT_EQ(removed, next.erase(key) == 1);
    } else {
      const auto value = static_cast<std::uint32_t>(random_() % 5);
      if (table_.set(key, value, generation)) {
        next[key] = value;
      } else {
        ASSERT_FALSE(next.contains(key));
        ASSERT_EQ(next.size(), table_.capacity());
      }
    }
    expect_both(next, generation);
  }

  void replace_all(Model& next, base::Generation generation) {
    Model wanted;
    ASSERT_TRUE(table_.begin_replace(generation));
    const auto count = random_() % (table_.capacity() + 1);
    for (unsigned i = 0; i < count; ++i) {
      const std::uint64_t key = 1 + random_() % key_max_;
      wanted[key] = static_cast<std::uint32_t>(random_() % 5);
      ASSERT_TRUE(table_.set(key, wanted[key], generation));
    }
    Model left = next;
    for (const auto& [key, value] : wanted) left[key] = value;
    const auto removed = [&left](std::uint64_t key, std::uint32_t value) {
      EXPECT_EQ(value_in(left, key), value);
      left.erase(key);
    };
    while (table_.sweep(generation, 1 + random_() % 32, removed)) {
      expect_seen(table_, generation_, in_force_, key_max_);
    }
    ASSERT_EQ(left, wanted);
    next = wanted;
  }

  // Readers still see what is in force, the writer what it has made.
  void expect_both(const Model& next, base::Generation) {
    expect_seen(table_, generation_, in_force_, key_max_);
    for (std::uint64_t key = 1; key <= key_max_; ++key) {
      ASSERT_EQ(table_.find_staged(key), value_in(next, key)) << "staged, key " << key;
    }
    ASSERT_EQ(table_.size(), next.size());
    Model walked;
    table_.for_each([&](std::uint64_t key, std::uint32_t value) {
      ASSERT_TRUE(walked.emplace(key, value).second);
    });
    ASSERT_EQ(walked, next);
  }

  ExactMatch table_;
  std::uint64_t key_max_;
  std::mt19937 random_;
  Model in_force_;
  base::Generation generation_ = 0;
};

TEST(ExactMatch, agrees_with_the_model_after_every_operation) {
  for (unsigned random_seed = 1; random_seed <= 6; ++random_seed) {
    RandomOperations(64, 100, random_seed).run(60);
  }
}

TEST(ExactMatch, agrees_with_the_model_while_always_nearly_full) {
  for (unsigned random_seed = 1; random_seed <= 6; ++random_seed) {
    RandomOperations(16, 40, random_seed).run(80);
  }
}

TEST(ExactMatch, refuses_key_zero_and_the_absent_value) {
  ExactMatch table = make_table(8);

  EXPECT_EQ(table.set(0, 1, 1).error().code, base::Errc::invalid_argument);
  EXPECT_EQ(table.set(1, no_value, 1).error().code, base::Errc::invalid_argument);
  EXPECT_TRUE(table.set(1, no_value - 1, 1));
  EXPECT_EQ(table.lookup(1, 1), no_value - 1);
  EXPECT_EQ(table.lookup(0, 1), no_value);
}

TEST(ExactMatch, refuses_sizes_it_cannot_have) {
  EXPECT_EQ(ExactMatch::make(0, seed).error().code, base::Errc::invalid_argument);
  EXPECT_EQ(ExactMatch::make(ExactMatch::capacity_max + 1, seed).error().code,
            base::Errc::invalid_argument);
}

TEST(ExactMatch, full_table_refuses_and_keeps_everything) {
  ExactMatch table = make_table(100);
  Model model;
  for (std::uint64_t key = 1; key <= 100; ++key) {
    model[key] = static_cast<std::uint32_t>(key);
    ASSERT_TRUE(table.set(key, model[key], 1));
  }

  EXPECT_EQ(table.set(101, 7, 1).error().code, base::Errc::table_full);

  EXPECT_EQ(table.size(), 100U);
  expect_seen(table, 1, model, 120);
  EXPECT_TRUE(table.set(100, 8, 1)) << "an update needs no room";
  EXPECT_TRUE(table.remove(50, 1));
  EXPECT_TRUE(table.set(101, 7, 1)) << "a removed entry makes room in the same transaction";
}

TEST(ExactMatch, next_transaction_waits_until_this_one_is_settled) {
  ExactMatch table = make_table(100);
  for (std::uint64_t key = 1; key <= 40; ++key) ASSERT_TRUE(table.set(key, 1, 1));

  EXPECT_EQ(table.set(1, 2, 2).error().code, base::Errc::wrong_state);
  ASSERT_TRUE(table.settle(16));
  EXPECT_EQ(table.set(1, 2, 2).error().code, base::Errc::wrong_state);
  EXPECT_EQ(table.remove(1, 2).error().code, base::Errc::wrong_state);
  settle_all(table);
  EXPECT_TRUE(table.set(1, 2, 2));
}

TEST(ExactMatch, settles_a_bulk_load_in_bounded_slices) {
  constexpr std::uint32_t entries = dp::Changes::listed_max * 2;
  ExactMatch table = make_table(entries);
  for (std::uint64_t key = 1; key <= entries; ++key) ASSERT_TRUE(table.set(key, 1, 1));

  std::uint32_t slices = 1;
  while (table.settle(1000)) ++slices;

  EXPECT_GE(slices, entries / 1000);
  for (std::uint64_t key = 1; key <= entries; ++key) ASSERT_EQ(table.lookup(key, 2), 1U);
}

}  // namespace
