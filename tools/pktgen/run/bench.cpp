// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/run/bench.hpp"

#include "tools/pktgen/measure/clock.hpp"
#include "tools/pktgen/run/generate.hpp"

#include <rte_cycles.h>

#include <algorithm>
#include <array>

namespace pktgen {

BenchResult bench(const Profile& given, dp::Port& port, rte_mempool& pool) {
  constexpr std::size_t rounds = 31;
  constexpr std::uint64_t frames_per_round = 200'000;
  Profile profile = given;
  profile.rate = {.frames_per_second = 0, .bits_per_second = 0, .burst = dp::burst_max};
  profile.frames = 0;
  const Clock clock(ClockSource::monotonic);
  GeneratedTraffic traffic(profile, {.out = &port, .pool = pool, .clock = clock, .listens = false});
  std::array<double, rounds> cycles;
  std::uint64_t frames = 0;
  for (double& round : cycles) {
    const std::uint64_t first = traffic.sums().sent.frames;
    const std::uint64_t began = rte_rdtsc_precise();
    do {
      traffic.poll(clock.now());
      frames = traffic.frames_sent();
    } while (frames < first + frames_per_round);
    round = static_cast<double>(rte_rdtsc_precise() - began) / static_cast<double>(frames - first);
  }
  std::ranges::sort(cycles);
  const SendCounters sent = traffic.sums().sent;
  return {.cycles_per_frame = cycles[rounds / 2],
          .least = cycles.front(),
          .frame_bytes = static_cast<double>(sent.bytes) / static_cast<double>(sent.frames),
          .hz = static_cast<double>(rte_get_tsc_hz())};
}

}  // namespace pktgen
