// SPDX-License-Identifier: Apache-2.0
#include "pipelines/catalog.hpp"

#include "dataplane/contract/limits.hpp"
#include "pipelines/host_to_wire.hpp"
#include "pipelines/transit.hpp"
#include "pipelines/wire_to_host.hpp"

namespace dp {
namespace {

template <class OnePipeline>
constexpr PipelineEntry entry(contract::PortRole role, std::uint16_t first_stage) {
  return {.name = OnePipeline::name,
          .role = role,
          .stages = OnePipeline::stages,
          .first_stage = first_stage,
          .make = [](const Environment& environment,
                     std::uint16_t first) -> std::unique_ptr<AnyPipeline> {
            return std::make_unique<OnePipeline>(environment, first);
          }};
}

constexpr std::uint16_t wire_to_host_first = HostToWire::stages.size();
constexpr std::uint16_t transit_first = wire_to_host_first + WireToHost::stages.size();

constexpr std::array<PipelineEntry, 3> entries{
    entry<HostToWire>(contract::PortRole::tenant, 0),
    entry<WireToHost>(contract::PortRole::underlay, wire_to_host_first),
    entry<Transit>(contract::PortRole::transit, transit_first),
};
static_assert(transit_first + Transit::stages.size() <= contract::stage_count_max);

}  // namespace

std::span<const PipelineEntry> catalog() noexcept {
  return entries;
}

std::vector<std::string> stage_names() {
  std::vector<std::string> names;
  for (const PipelineEntry& one : entries) {
    for (const StageInfo& stage : one.stages) {
      names.push_back(std::string(one.name) + "/" + std::string(stage.name));
    }
  }
  return names;
}

std::array<std::unique_ptr<AnyPipeline>, 4> make_pipelines(const Environment& environment) {
  std::array<std::unique_ptr<AnyPipeline>, 4> pipelines;
  for (const PipelineEntry& one : entries) {
    pipelines[static_cast<std::size_t>(one.role)] = one.make(environment, one.first_stage);
  }
  return pipelines;
}

}  // namespace dp
