// SPDX-License-Identifier: Apache-2.0
#include "pipelines/catalog.hpp"

#include "dataplane/contract/limits.hpp"
#include "pipelines/from_host.hpp"
#include "pipelines/host_to_wire.hpp"
#include "pipelines/to_host.hpp"
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

constexpr std::uint16_t to_host_first = transit_first + Transit::stages.size();
constexpr std::uint16_t from_host_first = to_host_first + ToHost::stages.size();

constexpr std::array<PipelineEntry, 5> entries{
    entry<HostToWire>(contract::PortRole::tenant, 0),
    entry<WireToHost>(contract::PortRole::underlay, wire_to_host_first),
    entry<Transit>(contract::PortRole::transit, transit_first),
    entry<ToHost>(contract::PortRole::none, to_host_first),
    entry<FromHost>(contract::PortRole::host, from_host_first),
};
static_assert(from_host_first + FromHost::stages.size() <= contract::stage_count_max);

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

Pipelines make_pipelines(const Environment& environment) {
  Pipelines pipelines;
  for (const PipelineEntry& one : entries) {
    auto& place = one.role == contract::PortRole::none
                      ? pipelines.diverted
                      : pipelines.by_role[static_cast<std::size_t>(one.role)];
    place = one.make(environment, one.first_stage);
  }
  return pipelines;
}

}  // namespace dp
