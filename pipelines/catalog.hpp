// SPDX-License-Identifier: Apache-2.0
// Every pipeline by name, and the one place that makes them. What is not here does not run.
#pragma once

#include "dataplane/contract/command.hpp"
#include "dataplane/pipeline/pipeline.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dp {

struct PipelineEntry {
  std::string_view name;
  contract::PortRole role;  // Frames of ports with this role run through it; none: diverted ones.
  std::span<const StageInfo> stages;  // In order; the last is transmit.
  std::uint16_t first_stage;          // Where they begin in stage_names().
  std::unique_ptr<AnyPipeline> (*make)(const Environment& environment, std::uint16_t first_stage);
};

std::span<const PipelineEntry> catalog() noexcept;

// "host_to_wire/admit_tenant", … : the region's stage list, in order.
std::vector<std::string> stage_names();

// One of each for a worker.
Pipelines make_pipelines(const Environment& environment);

}  // namespace dp
