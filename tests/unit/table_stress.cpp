// SPDX-License-Identifier: Apache-2.0
// Two workers look up while the housekeeper changes: nobody ever sees a mixture of generations.
// Small and of few rounds, so that it also runs under ThreadSanitizer:
//   meson setup build-tsan -Db_sanitize=thread && meson test -C build-tsan table_stress
#include "dataplane/table/epoch.hpp"
#include "dataplane/table/exact_match.hpp"
#include "dataplane/table/versioned_array.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace {

using base::Generation;
using base::WorkerId;
using dp::no_value;

// Both tables of a pair change in the same transactions only, and to the same value.
constexpr std::uint32_t pair_count = 40;
constexpr std::uint32_t record_count = 8;
constexpr std::uint32_t record_words = 12;  // More than a line, so that a torn one would show.

struct Record {
  std::array<std::uint64_t, record_words> words;
};

// Enough for each interleaving to come up many times; told by breaking the tables on purpose.
constexpr std::uint64_t generations_wanted = 2000;

constexpr dp::HashSeed seed{11, 22};

// Keys of a quarter of the buckets, so that primary, secondary and overflow are all in use.
std::vector<std::uint64_t> crowded_keys() {
  const dp::KeyedHash hash(seed);
  std::vector<std::uint64_t> keys;
  for (std::uint64_t key = 1; keys.size() < 2 * pair_count; ++key) {
    const std::uint64_t value = hash(key);
    if (value >> 62 == 0 && (value & 0xffff'ffff) >> 30 == 0) keys.push_back(key);
  }
  return keys;
}

const std::vector<std::uint64_t> pair_keys = crowded_keys();
std::uint64_t left_key(std::uint32_t pair) {
  return pair_keys[pair];
}
std::uint64_t right_key(std::uint32_t pair) {
  return pair_keys[pair_count + pair];
}

// Set in every transaction to the number of its generation: a batch must see exactly its own.
constexpr std::uint64_t generation_key = 1'000'000'007;

struct Tables {
  dp::Epoch epoch = std::move(*dp::Epoch::make(2));
  dp::ExactMatch match = std::move(*dp::ExactMatch::make(2 * pair_count + 1, seed));
  dp::VersionedArray<Record> records = std::move(*dp::VersionedArray<Record>::make(record_count));
  std::atomic<std::uint32_t> running{2};  // Workers that want to see more generations.
  std::atomic<bool> failed{false};        // The housekeeper gave up: they would wait for ever.
};

struct Seen {
  std::uint64_t batches = 0;
  std::uint64_t generations = 0;  // How often the number had changed since the last batch.
  std::uint64_t mixed = 0;        // The findings, all 0.
  std::uint64_t torn = 0;
  std::uint64_t of_another_generation = 0;
};

class Worker {
 public:
  Worker(Tables& tables, WorkerId id) : tables_(tables), id_(id) { keys_[0] = generation_key; }

  Seen run() {
    std::mt19937 random(id_.value);
    EXPECT_TRUE(tables_.epoch.register_worker(id_));
    while (seen_.generations < generations_wanted &&
           !tables_.failed.load(std::memory_order_relaxed)) {
      batch(random);
      tables_.epoch.quiescent(id_);
      if (random() % 4 == 0) std::this_thread::yield();
      if (random() % 64 == 0) {
        tables_.epoch.offline(id_);
        std::this_thread::yield();
        tables_.epoch.online(id_);
      }
    }
    // Unregistering is left to the end: DPDK's library, which ThreadSanitizer cannot see into,
    // orders it after this worker's last reads.
    tables_.epoch.offline(id_);
    tables_.running.fetch_sub(1, std::memory_order_relaxed);
    return seen_;
  }

 private:
  static constexpr std::uint32_t pairs_per_batch = 20;
  static constexpr std::uint32_t keys_per_batch = 1 + 2 * pairs_per_batch;

  void batch(std::mt19937& random) {
    const Generation generation = tables_.epoch.enter_batch();
    seen_.generations += generation != last_;
    last_ = generation;
    ++seen_.batches;

    for (std::uint32_t i = 0; i < pairs_per_batch; ++i) {
      const std::uint32_t pair = random() % pair_count;
      keys_[1 + 2 * i] = left_key(pair);
      keys_[2 + 2 * i] = right_key(pair);
    }
    // As if interrupted in the middle of a batch, so that the housekeeper gets ahead.
    if (random() % 8 == 0) std::this_thread::yield();
    std::array<std::uint32_t, keys_per_batch> values;
    tables_.match.lookup_bulk(keys_.data(), keys_per_batch, generation, values.data());
    const std::uint32_t own = generation == 0 ? no_value : static_cast<std::uint32_t>(generation);
    seen_.of_another_generation += values[0] != own;
    seen_.of_another_generation += tables_.match.lookup(generation_key, generation) != own;
    if (random() % 8 == 0) std::this_thread::yield();
    for (std::uint32_t i = 1; i < keys_per_batch; i += 2) {
      seen_.mixed += values[i] != values[i + 1];
      seen_.mixed += tables_.match.lookup(keys_[i], generation) != values[i];
    }
    for (std::uint32_t index = 0; index < record_count; ++index) read(index, generation);
  }

  // Record i is there when pair i is, and repeats its value in every word.
  void read(std::uint32_t index, Generation generation) {
    const Record* record = tables_.records.find(index, generation);
    const std::uint32_t value = tables_.match.lookup(left_key(index), generation);
    if (record == nullptr || value == no_value) {
      seen_.mixed += (record == nullptr) != (value == no_value);
      return;
    }
    for (std::uint64_t word : record->words) seen_.torn += word != value;
  }

  Tables& tables_;
  WorkerId id_;
  Generation last_ = 0;
  std::array<std::uint64_t, keys_per_batch> keys_;
  Seen seen_;
};

void change_pair(Tables& tables, std::uint32_t pair, std::mt19937& random, Generation next) {
  const bool removed = random() % 3 == 0;
  const std::uint32_t value = random() % 1'000'000;
  for (std::uint64_t key : {left_key(pair), right_key(pair)}) {
    if (removed) {
      (void)tables.match.remove(key, next);  // It may be absent already.
    } else {
      ASSERT_TRUE(tables.match.set(key, value, next));
    }
  }
  if (pair >= record_count) return;
  if (removed) {
    (void)tables.records.stage_removal(pair, next);
  } else {
    Record record;
    record.words.fill(value);
    ASSERT_TRUE(tables.records.stage(pair, record, next));
  }
}

void transaction(Tables& tables, std::mt19937& random) {
  const Generation next = tables.epoch.current() + 1;
  const auto changes = random() % 30;
  for (unsigned i = 0; i < changes; ++i) {
    change_pair(tables, random() % pair_count, random, next);
    if (random() % 64 == 0) std::this_thread::yield();
  }
  ASSERT_TRUE(tables.match.set(generation_key, static_cast<std::uint32_t>(next), next));

  if (random() % 8 == 0) {
    while (tables.match.abort(7)) {
    }
    tables.records.abort();
    return;
  }
  ASSERT_EQ(tables.epoch.flip(), next);
  while (!tables.epoch.all_passed(next)) std::this_thread::yield();
  while (tables.match.settle(7) || tables.records.settle(7)) {
  }
}

TEST(TableStress, workers_never_see_a_mixture_of_generations) {
  Tables tables;
  std::array<Seen, 2> seen;
  std::thread first([&] { seen[0] = Worker(tables, WorkerId{0}).run(); });
  std::thread second([&] { seen[1] = Worker(tables, WorkerId{1}).run(); });

  std::mt19937 random(99);
  while (tables.running.load(std::memory_order_relaxed) > 0 && !HasFatalFailure()) {
    transaction(tables, random);
  }
  tables.failed.store(HasFatalFailure(), std::memory_order_relaxed);
  first.join();
  second.join();
  for (WorkerId id : {WorkerId{0}, WorkerId{1}}) tables.epoch.unregister_worker(id);

  for (const Seen& worker : seen) {
    EXPECT_EQ(worker.mixed, 0U);
    EXPECT_EQ(worker.torn, 0U);
    EXPECT_EQ(worker.of_another_generation, 0U);
  }
}

}  // namespace
