// SPDX-License-Identifier: Apache-2.0
// What a gateway counted, summed over its workers, and whether that can be right.
#include "dataplane/base/check.hpp"
#include "pipelines/catalog.hpp"
#include "tests/pipeline/gateway.hpp"

#include <cstdio>

namespace test {
namespace {

template <class T>
Gateway::Memory memory_of(std::string name, const T& object) {
  return {.name = std::move(name), .bytes = std::as_bytes(std::span(&object, 1))};
}

}  // namespace

std::vector<Gateway::Memory> Gateway::memory_of_workers() const {
  std::vector<Memory> memory{{.name = "region", .bytes = region_}, memory_of("traces", board_)};
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const std::string number = std::to_string(i);
    memory.push_back(memory_of("worker " + number, *workers_[i]));
    memory.push_back(memory_of("trace ring " + number, *rings_[i]));
    memory.push_back(memory_of("frame rings " + number, *frame_rings_[i]));
  }
  for (std::size_t port = 0; port < queues_.size(); ++port) {
    if (queues_[port] == nullptr) continue;
    memory.push_back(memory_of("egress queue " + std::to_string(port), *queues_[port]));
  }
  return memory;
}

void Gateway::check_sound() const {
  CHECK(mismatch() == 0);
  CHECK(mbufs_in_use() == 0);
  for (const dp::PipelineEntry& pipeline : dp::catalog()) {
    for (const dp::StageInfo& stage : pipeline.stages) {
      const std::string name = std::string(pipeline.name) + "/" + std::string(stage.name);
      for (const auto& [key, count] : stage_drops()) {
        if (key.first != name || stage.may_drop.contain(key.second)) continue;
        std::fprintf(stderr, "%s dropped for %s\n", name.c_str(),
                     std::string(contract::name(key.second)).c_str());
        CHECK(!"a stage drops only for reasons that it declares");
      }
    }
  }
}

std::uint64_t Gateway::drops(contract::DropReason reason) const {
  return totals().drops[static_cast<std::size_t>(reason)];
}

std::uint64_t Gateway::stage_drops(std::string_view stage, contract::DropReason reason) const {
  for (std::size_t i = 0; i < shape_.stages.size(); ++i) {
    if (shape_.stages[i] != stage) continue;
    std::uint64_t sum = 0;
    for (std::uint32_t worker = 0; worker < options_.workers; ++worker) {
      sum += contract::worker_block(region_, shape_, worker)
                 .stages[i]
                 .drops[static_cast<std::size_t>(reason)];
    }
    return sum;
  }
  CHECK(!"no such stage");
  return 0;
}

Gateway::StageDrops Gateway::stage_drops() const {
  StageDrops found;
  for (std::uint32_t worker = 0; worker < options_.workers; ++worker) {
    const auto stages = contract::worker_block(region_, shape_, worker).stages;
    for (std::size_t stage = 0; stage < shape_.stages.size(); ++stage) {
      for (std::size_t reason = 0; reason < contract::drop_reason_slots; ++reason) {
        const std::uint64_t count = stages[stage].drops[reason];
        if (count == 0) continue;
        found[{shape_.stages[stage], static_cast<contract::DropReason>(reason)}] += count;
      }
    }
  }
  return found;
}

std::uint64_t Gateway::kinds(std::uint16_t port, contract::PacketKind kind,
                             contract::Ecn ecn) const {
  std::uint64_t sum = 0;
  for (std::uint32_t worker = 0; worker < options_.workers; ++worker) {
    sum += contract::worker_block(region_, shape_, worker)
               .ports[port]
               .rx_kinds[static_cast<std::size_t>(kind)][static_cast<std::size_t>(ecn)];
  }
  return sum;
}

std::uint64_t Gateway::kinds(std::uint16_t port, contract::PacketKind kind) const {
  std::uint64_t sum = 0;
  for (const auto ecn :
       {contract::Ecn::not_ect, contract::Ecn::ect1, contract::Ecn::ect0, contract::Ecn::ce}) {
    sum += kinds(port, kind, ecn);
  }
  return sum;
}

namespace {

// Blocks of plain 64-bit numbers can be summed without naming them.
template <class Block>
void add_block(Block& sum, const Block& part) {
  static_assert(sizeof(Block) % 8 == 0);
  auto* to = reinterpret_cast<std::uint64_t*>(&sum);
  const auto* from = reinterpret_cast<const std::uint64_t*>(&part);
  for (std::size_t i = 0; i < sizeof(Block) / 8; ++i) to[i] += from[i];
}

}  // namespace

contract::WorkerTotals Gateway::totals() const {
  contract::WorkerTotals sum{};
  for (std::uint32_t worker = 0; worker < options_.workers; ++worker) {
    add_block(sum, *contract::worker_block(region_, shape_, worker).totals);
  }
  return sum;
}

contract::NetworkCounters Gateway::network_counters(std::uint16_t network) const {
  contract::NetworkCounters sum{};
  for (std::uint32_t worker = 0; worker < options_.workers; ++worker) {
    add_block(sum, contract::worker_block(region_, shape_, worker).networks[network]);
  }
  return sum;
}

contract::VtepCounters Gateway::vtep_counters(std::uint16_t vtep) const {
  contract::VtepCounters sum{};
  for (std::uint32_t worker = 0; worker < options_.workers; ++worker) {
    add_block(sum, contract::worker_block(region_, shape_, worker).vteps[vtep]);
  }
  return sum;
}

contract::PortCounters Gateway::port_counters(std::uint16_t port) const {
  contract::PortCounters sum{};
  for (std::uint32_t worker = 0; worker < options_.workers; ++worker) {
    add_block(sum, contract::worker_block(region_, shape_, worker).ports[port]);
  }
  return sum;
}

contract::QueueCounters Gateway::queue_counters(std::uint16_t port, unsigned traffic_class) const {
  return contract::worker_block(region_, shape_, 0)
      .queues[port * contract::traffic_class_count + traffic_class];
}

std::int64_t Gateway::mismatch() const {
  return totals().mismatch();
}

std::uint32_t Gateway::mbufs_in_use() const {
  return rte_mempool_in_use_count(pool_.get()) + rte_mempool_in_use_count(copies_pool_.get());
}

}  // namespace test
