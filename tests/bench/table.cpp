// SPDX-License-Identifier: Apache-2.0
// Bulk lookups of the exact-match table and of rte_hash, whose keys are all known, in random order.
// Cycles are those of the time stamp counter. Without free hugepages rte_hash's numbers are too
// high.
#include "dataplane/base/check.hpp"
#include "dataplane/table/exact_match.hpp"

#include <benchmark/benchmark.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::uint32_t batch = 32;  // A packet burst.
constexpr base::Generation in_force = 1;

// Endpoints as an operator has them: 100 networks, MACs of one vendor counted up.
std::vector<std::uint64_t> endpoint_keys(std::uint32_t count) {
  std::vector<std::uint64_t> keys(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    keys[i] = (1 + i % 100) << 48 | (0x0200'0000'0000 + i / 100);
  }
  std::mt19937_64 random(1);
  std::shuffle(keys.begin(), keys.end(), random);
  return keys;
}

// A second shuffle, so that lookups do not follow the order of insertion.
std::vector<std::uint64_t> lookup_order(std::vector<std::uint64_t> keys) {
  std::mt19937_64 random(2);
  std::shuffle(keys.begin(), keys.end(), random);
  keys.resize(keys.size() / batch * batch);
  return keys;
}

double thread_seconds() {
  timespec now;
  CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Runs `look_up(keys)` for one batch after the other and reports what one lookup costs. By the time
// that this thread ran, so that a busy machine disturbs less.
template <class LookUp>
void measure(benchmark::State& state, const std::vector<std::uint64_t>& keys, LookUp look_up) {
  std::size_t at = 0;
  const double start = thread_seconds();
  for (auto _ : state) {
    look_up(&keys[at]);
    at = at + batch < keys.size() ? at + batch : 0;
  }
  const double seconds = thread_seconds() - start;
  const auto lookups = static_cast<double>(state.iterations()) * batch;
  state.counters["cycles_per_lookup"] = seconds * static_cast<double>(rte_get_tsc_hz()) / lookups;
}

dp::ExactMatch filled_table(const std::vector<std::uint64_t>& keys) {
  auto table = dp::ExactMatch::make(static_cast<std::uint32_t>(keys.size()), {1, 2});
  CHECK(table.has_value());
  for (std::uint64_t key : keys) {
    CHECK(table->set(key, static_cast<std::uint32_t>(key) & 0xffff, in_force).has_value());
  }
  while (table->settle()) {
  }
  return std::move(*table);
}

void exact_match(benchmark::State& state, std::uint64_t absent_bit) {
  auto keys = endpoint_keys(static_cast<std::uint32_t>(state.range(0)));
  const dp::ExactMatch table = filled_table(keys);
  keys = lookup_order(std::move(keys));
  for (std::uint64_t& key : keys) key ^= absent_bit;

  measure(state, keys, [&](const std::uint64_t* from) {
    std::uint32_t values[batch];
    table.lookup_bulk(from, batch, in_force, values);
    benchmark::DoNotOptimize(values);
  });
  state.counters["bytes_per_entry"] =
      static_cast<double>(table.bytes()) / static_cast<double>(state.range(0));
}

void exact_match_hit(benchmark::State& state) {
  exact_match(state, 0);
}
void exact_match_miss(benchmark::State& state) {
  exact_match(state, std::uint64_t{1} << 40);
}

void exact_match_fill(benchmark::State& state) {
  const auto keys = endpoint_keys(static_cast<std::uint32_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(filled_table(keys).size());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

std::size_t allocated_bytes() {
  rte_malloc_socket_stats stats;
  CHECK(rte_malloc_get_socket_stats(0, &stats) == 0);
  return stats.heap_allocsz_bytes;
}

void rte_hash_hit(benchmark::State& state) {
  auto keys = endpoint_keys(static_cast<std::uint32_t>(state.range(0)));
  const std::size_t before = allocated_bytes();
  rte_hash_parameters parameters{};
  parameters.name = "bench";
  parameters.entries = static_cast<std::uint32_t>(keys.size());
  parameters.key_len = sizeof(std::uint64_t);
  parameters.hash_func = rte_jhash;
  parameters.hash_func_init_val = 12345;
  // One entry more or less is refused without the extendable table.
  parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE;
  rte_hash* hash = rte_hash_create(&parameters);
  if (hash == nullptr) {
    state.SkipWithError("rte_hash_create: not enough hugepages");
    return;
  }
  for (std::uint64_t key : keys) {
    CHECK(rte_hash_add_key_data(hash, &key, reinterpret_cast<void*>(key & 0xffff)) == 0);
  }
  const std::size_t bytes = allocated_bytes() - before;
  keys = lookup_order(std::move(keys));

  measure(state, keys, [&](const std::uint64_t* from) {
    std::array<const void*, batch> pointers;
    std::array<void*, batch> values;
    for (std::uint32_t i = 0; i < batch; ++i) pointers[i] = from + i;
    std::uint64_t hits = 0;
    rte_hash_lookup_bulk_data(hash, pointers.data(), batch, &hits, values.data());
    benchmark::DoNotOptimize(values);
    benchmark::DoNotOptimize(hits);
  });
  state.counters["bytes_per_entry"] =
      static_cast<double>(bytes) / static_cast<double>(state.range(0));
  rte_hash_free(hash);
}

#define SIZES Arg(1'000)->Arg(100'000)->Arg(1'000'000)
BENCHMARK(exact_match_hit)->SIZES;
BENCHMARK(exact_match_miss)->SIZES;
BENCHMARK(rte_hash_hit)->SIZES;
BENCHMARK(exact_match_fill)->SIZES->Unit(benchmark::kMillisecond);

bool start_eal(bool hugepages) {
  std::vector<std::string> words{"bench_table", "--no-pci", "-m200", "--no-telemetry",
                                 "--log-level=*:error"};
  words.push_back(hugepages ? "--in-memory" : "--no-huge");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
}

bool hugepages_free() {
  std::FILE* file = std::fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
  if (file == nullptr) return false;
  unsigned free = 0;
  const bool read = std::fscanf(file, "%u", &free) == 1;
  std::fclose(file);
  return read && free >= 100;
}

}  // namespace

int main(int argc, char** argv) {
  const bool hugepages = hugepages_free();
  if (!hugepages) std::puts("fewer than 100 hugepages are free: do not quote rte_hash's numbers");
  CHECK(start_eal(hugepages));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  rte_eal_cleanup();
}
