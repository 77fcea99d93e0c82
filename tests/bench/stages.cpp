// SPDX-License-Identifier: Apache-2.0
// Cycles per packet of every stage alone, of every pass, and of whole pipelines, in bursts of 64.
// Receiving and sending are not in it: the mbuf is warm, as a driver leaves it, and the frame is
// as far away as `qp_count` frames make it (1,000: the L2 cache; 100,000: beyond).
#include "pipelines/catalog.hpp"
#include "pipelines/host_to_wire.hpp"
#include "pipelines/wire_to_host.hpp"
#include "tests/bench/bed.hpp"

#include <benchmark/benchmark.h>
#include <rte_cycles.h>
#include <rte_eal.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace {

using bench::Bed;
using bench::Direction;
using bench::Workload;
using dp::CameFrom;
using dp::FramePlace;

// Beds are dear to make and shared by the benchmarks of their workload.
std::map<Workload, std::unique_ptr<Bed>>& beds() {
  static std::map<Workload, std::unique_ptr<Bed>> all;
  return all;
}

Bed& bed_of(const Workload& workload) {
  auto& bed = beds()[workload];
  if (!bed) bed = std::make_unique<Bed>(workload);
  return *bed;
}

// The three forms of a part that a pipeline knows; see dataplane/pipeline/pipeline.hpp.
template <class Part>
void run_part(Part& part, dp::Batch& batch, Bed& bed) {
  constexpr std::uint16_t stage = 0;
  if constexpr (requires {
                  part.template process<dp::Mode::fast>(batch, bed.exits(),
                                                        bed.environment().counters, stage);
                }) {
    part.template process<dp::Mode::fast>(batch, bed.exits(), bed.environment().counters, stage);
  } else if constexpr (requires { part.process(batch, bed.exits(), stage); }) {
    part.process(batch, bed.exits(), stage);
  } else {
    part.process(batch, bed.exits(), stage, [](dp::Batch&) noexcept {});
  }
}

enum class Caches : std::uint8_t { warm, cold };
constexpr std::size_t cold_bursts = 48;

// Writes over more than the last-level cache holds, so that all that a burst reads comes from
// memory.
void cool() {
  static std::vector<std::uint64_t> other(std::size_t{96} << 20 >> 3);
  static std::uint64_t value = 0;
  ++value;
  for (std::size_t i = 0; i < other.size(); i += 8) other[i] = value;
  benchmark::DoNotOptimize(other.data());
}

// Cycles of each burst. Their median counts: what else ran on the core meanwhile is not ours.
class BurstCycles {
 public:
  void start() noexcept { started_ = rte_rdtsc_precise(); }
  void stop() { bursts_.push_back(rte_rdtsc_precise() - started_); }
  void report(benchmark::State& state) {
    const auto middle = bursts_.begin() + static_cast<std::ptrdiff_t>(bursts_.size() / 2);
    std::nth_element(bursts_.begin(), middle, bursts_.end());
    state.counters["cycles_per_packet"] = static_cast<double>(*middle) / dp::burst_max;
  }

 private:
  std::uint64_t started_ = 0;
  std::vector<std::uint64_t> bursts_;
};

template <class Part, class... Before>
void measure_part(benchmark::State& state, const Workload& workload, Caches caches) {
  Bed& bed = bed_of(workload);
  std::tuple<Before...> before{Before(bed.environment())...};
  Part part(bed.environment());
  BurstCycles cycles;
  for (auto _ : state) {
    dp::Batch& batch = bed.next_burst();
    std::apply([&](auto&... earlier) { (run_part(earlier, batch, bed), ...); }, before);
    if (caches == Caches::cold) cool();
    cycles.start();
    run_part(part, batch, bed);
    cycles.stop();
    if (batch.size() != dp::burst_max) state.SkipWithError("packets died");
    bed.take_back(batch);
  }
  cycles.report(state);
}

std::string reasons(const contract::WorkerTotals& totals) {
  std::string names;
  for (const contract::DropReasonText& text : contract::drop_reasons) {
    if (totals.drops[static_cast<std::size_t>(text.reason)] != 0) {
      names += std::string(text.name) + " ";
    }
  }
  return names;
}

void measure_pipeline(benchmark::State& state, const Workload& workload, dp::Mode mode,
                      Caches caches) {
  Bed& bed = bed_of(workload);
  const auto role = bench::role_of(workload.direction);
  const auto pipelines = dp::make_pipelines(bed.environment());
  dp::AnyPipeline& pipeline = *pipelines.by_role[static_cast<std::size_t>(role)];
  const std::uint64_t dropped_before = bed.exits().totals().dropped;
  BurstCycles cycles;
  for (auto _ : state) {
    dp::Batch& batch = bed.next_burst();
    if (caches == Caches::cold) cool();
    cycles.start();
    pipeline.run(batch, bed.exits(), mode);
    bed.end_turn();
    bed.exits().publish();
    cycles.stop();
  }
  if (bed.exits().totals().dropped != dropped_before) {
    state.SkipWithError(("packets died: " + reasons(bed.exits().totals())).c_str());
  }
  cycles.report(state);
}

template <class... Steps>
std::string names_of() {
  std::string names;
  ((names += (names.empty() ? "" : "+") + std::string(Steps::info.name)), ...);
  return names;
}

std::string name_of(Direction direction) {
  switch (direction) {
    case Direction::encap: return "encap";
    case Direction::decap: return "decap";
    case Direction::transit: break;
  }
  return "transit";
}

class Registrar {
 public:
  explicit Registrar(const Workload& workload)
      : workload_(workload),
        prefix_(name_of(workload.direction) + (workload.over_ipv6 ? "6/" : "/") +
                std::to_string(workload.qp_count / 1000) + "k/") {}

  // `Part` after `Before`, which is not counted.
  template <class Part, class... Before>
  void add(const std::string& name) const {
    add_both(name, [workload = workload_](benchmark::State& state, Caches caches) {
      measure_part<Part, Before...>(state, workload, caches);
    });
  }
  // Each of the steps alone, then all of them fused.
  template <class... Steps>
  void add_steps() const {
    add_each<std::tuple<>, Steps...>();
    add<dp::Pass<Steps...>>("pass:" + names_of<Steps...>());
  }
  void add_pipeline(const std::string& name, dp::Mode mode) const {
    add_both(name, [workload = workload_, mode](benchmark::State& state, Caches caches) {
      measure_pipeline(state, workload, mode, caches);
    });
  }

 private:
  // As it is within the product, and as it is at the first burst after something else.
  template <class Measure>
  void add_both(const std::string& name, Measure measure) const {
    benchmark::RegisterBenchmark((prefix_ + name).c_str(), [measure](benchmark::State& state) {
      measure(state, Caches::warm);
    });
    benchmark::RegisterBenchmark(
        (prefix_ + name + " (cold)").c_str(),
        [measure](benchmark::State& state) { measure(state, Caches::cold); })
        ->Iterations(cold_bursts);
  }
  template <class Done, class Step, class... Rest>
  void add_each() const {
    add_after<Step>(static_cast<Done*>(nullptr));
    if constexpr (sizeof...(Rest) > 0) {
      add_each<decltype(std::tuple_cat(std::declval<Done>(), std::declval<std::tuple<Step*>>())),
               Rest...>();
    }
  }
  template <class Step, class... Done>
  void add_after(std::tuple<Done*...>*) const {
    add<dp::Pass<Step>, dp::Pass<Done>...>(std::string(Step::info.name));
  }

  Workload workload_;
  std::string prefix_;
};

void register_encap(std::uint32_t qp_count) {
  using Entrance =
      dp::Pass<dp::AdmitTenant, dp::ParseFrame<FramePlace::outermost>, dp::ClassifyRoce>;
  using LookUp = dp::LookUpEndpoint<CameFrom::tenant>;
  using Flood = dp::Flood<CameFrom::tenant>;
  const Registrar registrar({.direction = Direction::encap, .qp_count = qp_count});
  registrar.add_steps<dp::AdmitTenant, dp::ParseFrame<FramePlace::outermost>, dp::ClassifyRoce>();
  registrar.add<LookUp, Entrance>("look_up_endpoint");
  registrar.add<Flood, Entrance, LookUp>("flood");
  registrar.add<dp::Pass<dp::ChooseNextHop>, Entrance, LookUp, Flood>("choose_next_hop");
  registrar.add<dp::Pass<dp::Encapsulate>, Entrance, LookUp, Flood, dp::Pass<dp::ChooseNextHop>>(
      "encapsulate");
  registrar.add<dp::Pass<dp::ChooseNextHop, dp::Encapsulate>, Entrance, LookUp, Flood>(
      "pass:" + names_of<dp::ChooseNextHop, dp::Encapsulate>());
  registrar.add_pipeline("host_to_wire", dp::Mode::fast);
  registrar.add_pipeline("host_to_wire observed", dp::Mode::observed);
}

void register_decap(std::uint32_t qp_count) {
  using Entrance = dp::Pass<dp::ParseOuter, dp::Decapsulate, dp::ParseFrame<FramePlace::in_tunnel>,
                            dp::ClassifyRoce, dp::PropagateEcn>;
  using LookUp = dp::LookUpEndpoint<CameFrom::wire>;
  const Registrar registrar({.direction = Direction::decap, .qp_count = qp_count});
  registrar.add_steps<dp::ParseOuter, dp::Decapsulate, dp::ParseFrame<FramePlace::in_tunnel>,
                      dp::ClassifyRoce, dp::PropagateEcn>();
  registrar.add<LookUp, Entrance>("look_up_endpoint");
  registrar.add<dp::Flood<CameFrom::wire>, Entrance, LookUp>("flood");
  registrar.add_pipeline("wire_to_host", dp::Mode::fast);
  registrar.add_pipeline("wire_to_host observed", dp::Mode::observed);
}

void register_transit(std::uint32_t qp_count) {
  Registrar({.direction = Direction::transit, .qp_count = qp_count})
      .add_pipeline("transit", dp::Mode::fast);
}

// Whole pipelines over an IPv6 underlay; their stages differ little.
void register_ipv6(std::uint32_t qp_count) {
  Registrar({.direction = Direction::encap, .qp_count = qp_count, .over_ipv6 = true})
      .add_pipeline("host_to_wire", dp::Mode::fast);
  Registrar({.direction = Direction::decap, .qp_count = qp_count, .over_ipv6 = true})
      .add_pipeline("wire_to_host", dp::Mode::fast);
}

// As messages of RDMA come: a burst is for one endpoint.
void register_one_endpoint(std::uint32_t qp_count) {
  Registrar({.direction = Direction::encap, .qp_count = qp_count, .one_endpoint = true})
      .add_pipeline("host_to_wire one endpoint", dp::Mode::fast);
  Registrar({.direction = Direction::decap, .qp_count = qp_count, .one_endpoint = true})
      .add_pipeline("wire_to_host one endpoint", dp::Mode::fast);
}

// What leaving by a queue costs; `none` is what the others are compared with.
void register_queues(std::uint32_t qp_count) {
  for (const auto& [queueing, name] :
       {std::pair{bench::Queueing::none, "none"}, std::pair{bench::Queueing::bypass, "bypass"},
        std::pair{bench::Queueing::marker, "marker"},
        std::pair{bench::Queueing::standing, "standing"}}) {
    Registrar({.direction = Direction::encap, .qp_count = qp_count, .queueing = queueing})
        .add_pipeline(std::string("host_to_wire queue:") + name, dp::Mode::fast);
  }
}

// Hugepages where enough are free: figures without them are no product's.
bool hugepages_free(unsigned count) {
  std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  unsigned available = 0;
  return file >> available && available >= count;
}

bool start_eal() {
  const bool huge = hugepages_free(400);
  benchmark::AddCustomContext("packet_memory", huge ? "hugepages" : "ordinary pages");
  return bench::start_eal("stages", huge);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  if (!start_eal()) {
    std::fputs("EAL did not start\n", stderr);
    return 1;
  }
  for (const std::uint32_t qp_count : {1000u, 100'000u}) {
    register_encap(qp_count);
    register_decap(qp_count);
    register_ipv6(qp_count);
    register_one_endpoint(qp_count);
    register_transit(qp_count);
  }
  register_queues(1000);
  benchmark::RunSpecifiedBenchmarks();
  beds().clear();
  rte_eal_cleanup();
}
