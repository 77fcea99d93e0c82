// SPDX-License-Identifier: Apache-2.0
// Cycles of an ICRC by frame size, and of what pktgen does for a frame: writing one whole, and
// finishing a copy of a prepared one. Memory is warm.
#include "dataplane/packet/icrc.hpp"
#include "tools/pktgen/roce/prepared.hpp"

#include <benchmark/benchmark.h>
#include <rte_cycles.h>

#include <vector>

namespace {

using namespace pktgen;

Path path_v4() {
  return {.source = base::IpAddress::from(base::be32(0x0a00'0001)),
          .destination = base::IpAddress::from(base::be32(0x0a00'0002)),
          .tos = 2};
}

// A WRITE Middle in a frame of `frame_bytes`.
RocePacket packet_of(std::span<const std::uint8_t> payload) {
  RocePacket packet;
  packet.opcode = opcode_of(Transport::rc, Operation::write_middle);
  packet.destination_qp = 0x123;
  packet.payload = payload;
  return packet;
}
constexpr std::size_t headers = 14 + 20 + 8 + 12 + 4;

template <class Work>
void measure(benchmark::State& state, Work work) {
  std::uint64_t cycles = 0;
  for (auto _ : state) {
    const std::uint64_t started = rte_rdtsc_precise();
    for (std::uint32_t i = 0; i < 64; ++i) work(i);
    cycles += rte_rdtsc_precise() - started;
  }
  state.counters["cycles_per_frame"] =
      static_cast<double>(cycles) / (static_cast<double>(state.iterations()) * 64);
}

void icrc(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::vector<std::uint8_t> frame(bytes, 0x45);
  measure(state, [&frame](std::uint32_t) {
    benchmark::DoNotOptimize(dp::icrc(std::span(frame).subspan(14, frame.size() - 18)));
    benchmark::ClobberMemory();
  });
}

void write_whole(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint8_t> payload(bytes - headers, 0x45);
  RocePacket packet = packet_of(payload);
  // Payloads are filled up to four bytes: 128 become 130.
  std::vector<std::uint8_t> frame(frame_bytes(path_v4(), packet));
  measure(state, [&](std::uint32_t i) {
    packet.psn = i;
    write_frame(frame.data(), path_v4(), packet);
    benchmark::ClobberMemory();
  });
}

void finish_copy(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint8_t> payload(bytes - headers, 0x45);
  const FrameForm form(path_v4(), packet_of(payload));
  std::vector<std::uint8_t> prepared(form.frame_bytes());
  form.prepare(prepared.data(), path_v4(), packet_of(payload));
  std::vector<std::uint8_t> frame(prepared.size());
  measure(state, [&](std::uint32_t i) {
    std::memcpy(frame.data(), prepared.data(), prepared.size());
    const Stamp stamp{.sequence = base::be32(i), .sent_at = base::be64(rte_rdtsc())};
    form.finish(frame.data(), i, i == 0, stamp);
    benchmark::ClobberMemory();
  });
}

BENCHMARK(icrc)->Arg(66)->Arg(128)->Arg(1082)->Arg(4174);
BENCHMARK(write_whole)->Arg(128)->Arg(1082)->Arg(4174);
BENCHMARK(finish_copy)->Arg(128)->Arg(1082)->Arg(4174);

}  // namespace

BENCHMARK_MAIN();
