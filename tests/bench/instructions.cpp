// SPDX-License-Identifier: Apache-2.0
// What callgrind counts for tools/bench stages: some bursts of each case, within one function by
// which callgrind is told when to count (--toggle-collect, --dump-after). Prints the cases in order
// and their packets; without valgrind it prints the same and proves nothing.
#include "pipelines/catalog.hpp"
#include "tests/bench/bed.hpp"

#include <rte_eal.h>

#include <cstdint>
#include <cstdio>

namespace bench {
namespace {

constexpr std::uint32_t qp_count = 256;
constexpr int warm_bursts = 4, counted_bursts = 16;

struct Case {
  const char* name;
  Workload workload;
};

constexpr Case cases[] = {
    {"host_to_wire", {.direction = Direction::encap, .qp_count = qp_count}},
    {"host_to_wire one endpoint",
     {.direction = Direction::encap, .qp_count = qp_count, .one_endpoint = true}},
    {"host_to_wire many vteps",
     {.direction = Direction::encap, .qp_count = qp_count, .vtep_count = 48}},
    {"host_to_wire ipv6", {.direction = Direction::encap, .qp_count = qp_count, .over_ipv6 = true}},
    {"host_to_wire marker",
     {.direction = Direction::encap, .qp_count = qp_count, .queueing = Queueing::marker}},
    {"wire_to_host", {.direction = Direction::decap, .qp_count = qp_count}},
    {"wire_to_host one endpoint",
     {.direction = Direction::decap, .qp_count = qp_count, .one_endpoint = true}},
    {"wire_to_host ipv6", {.direction = Direction::decap, .qp_count = qp_count, .over_ipv6 = true}},
    {"transit", {.direction = Direction::transit, .qp_count = qp_count}},
};

}  // namespace

// Neither is inlined or in an unnamed namespace: callgrind knows them by their names.
__attribute__((noinline)) void counted_burst(dp::AnyPipeline& pipeline, Bed& bed,
                                             dp::Batch& batch) {
  pipeline.run(batch, bed.exits(), dp::Mode::fast);
  bed.end_turn();
  bed.exits().publish();
}

__attribute__((noinline)) void end_of_case() {
  asm volatile("");
}

namespace {

// Whether all packets lived.
bool run(const Case& one) {
  Bed bed(one.workload);
  const auto pipelines = dp::make_pipelines(bed.environment());
  const auto role = static_cast<std::size_t>(role_of(one.workload.direction));
  dp::AnyPipeline& pipeline = *pipelines.by_role[role];
  for (int i = 0; i < warm_bursts; ++i) {
    pipeline.run(bed.next_burst(), bed.exits(), dp::Mode::fast);
    bed.end_turn();
    bed.exits().publish();
  }
  for (int i = 0; i < counted_bursts; ++i) {
    dp::Batch& batch = bed.next_burst();
    counted_burst(pipeline, bed, batch);
  }
  end_of_case();
  std::printf("%s: %d packets\n", one.name, counted_bursts * dp::burst_max);
  return bed.exits().totals().dropped == 0;
}

}  // namespace
}  // namespace bench

int main() {
  if (!bench::start_eal("instructions", /*hugepages=*/false)) {
    std::fputs("EAL did not start\n", stderr);
    return 1;
  }
  for (const bench::Case& one : bench::cases) {
    if (!bench::run(one)) {
      std::fprintf(stderr, "%s: packets died\n", one.name);
      return 1;
    }
  }
  rte_eal_cleanup();
}
