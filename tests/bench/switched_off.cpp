// SPDX-License-Identifier: Apache-2.0
// What features cost that are there and switched off: traces and the cycles of each stage. The
// worker looks once a burst whether it is to be observed; whoever sends or drops a packet looks
// whether that one is traced. Each is measured as the loop that has the look, and without it.
#include "dataplane/pipeline/trace.hpp"

#include <benchmark/benchmark.h>
#include <rte_cycles.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

namespace {

constexpr std::uint32_t bursts_per_sample = 256;  // As of a worker (worker.cpp).

// Many bursts between two readings of the clock, which would cost more than what is measured.
constexpr int bursts_per_reading = 1000;

template <class Burst>
void measure(benchmark::State& state, Burst&& burst) {
  double least = 1e9;
  for (auto _ : state) {
    const std::uint64_t started = rte_rdtsc_precise();
    for (int i = 0; i < bursts_per_reading; ++i) burst();
    const auto cycles = static_cast<double>(rte_rdtsc_precise() - started);
    // What else ran on the core meanwhile is not ours.
    least = std::min(least, cycles / bursts_per_reading / dp::burst_max);
  }
  state.counters["cycles_per_packet"] = least;
}

// Of each burst: shall it be observed?
class Chooser {
 public:
  bool choose() noexcept {
    if (tracer_.active()) [[unlikely]]
      return true;
    if (bursts_until_sample_-- == 0) [[unlikely]] {
      bursts_until_sample_ = bursts_per_sample - 1;
      return true;
    }
    return false;
  }

 private:
  dp::TraceBoard board_;
  dp::TraceRing ring_;
  dp::Tracer tracer_{board_, ring_, base::WorkerId{0}};
  std::uint32_t bursts_until_sample_ = 0;
};

enum class Look : bool { no, yes };

// A burst's packets that leave at one port, as Exits::send() walks them.
template <Look look>
void walk(const std::array<dp::PacketMeta, dp::burst_max>& metas) {
  std::uint16_t end = 0;
  bool traced = false;
  const base::PortId port = metas[0].out_port;
  for (; end < dp::burst_max && metas[end].out_port == port; ++end) {
    if constexpr (look == Look::yes) traced |= metas[end].trace_slot != dp::no_trace;
  }
  benchmark::DoNotOptimize(end);
  benchmark::DoNotOptimize(traced);
}

void empty_burst(benchmark::State& state) {
  measure(state, [] { benchmark::ClobberMemory(); });
}

void burst_that_may_be_observed(benchmark::State& state) {
  const auto chooser = std::make_unique<Chooser>();  // Larger than a stack likes.
  measure(state, [&] {
    benchmark::ClobberMemory();
    bool observed = chooser->choose();
    benchmark::DoNotOptimize(observed);
  });
}

template <Look look>
void packets_that_may_be_traced(benchmark::State& state) {
  std::array<dp::PacketMeta, dp::burst_max> metas{};
  for (dp::PacketMeta& meta : metas) {
    meta.out_port = base::PortId{1};
    meta.trace_slot = dp::no_trace;
  }
  measure(state, [&] {
    benchmark::ClobberMemory();
    walk<look>(metas);
  });
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::RegisterBenchmark("switched_off/observed: without", empty_burst);
  benchmark::RegisterBenchmark("switched_off/observed: with", burst_that_may_be_observed);
  benchmark::RegisterBenchmark("switched_off/traced: without",
                               packets_that_may_be_traced<Look::no>);
  benchmark::RegisterBenchmark("switched_off/traced: with", packets_that_may_be_traced<Look::yes>);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
