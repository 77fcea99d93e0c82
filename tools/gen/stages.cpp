// SPDX-License-Identifier: Apache-2.0
// Prints STAGES.md: the pipelines that are compiled in, their stages in order, and what a packet
// may die of in each.
#include "pipelines/catalog.hpp"

#include <cstdio>

namespace {

void print_stage(std::size_t number, const dp::StageInfo& stage) {
  std::printf("| %zu | `%s` |", number, stage.name.data());
  const char* before = " ";
  for (const contract::DropReasonText& text : contract::drop_reasons) {
    if (!stage.may_drop.contain(text.reason)) continue;
    std::printf("%s`%s`", before, text.name.data());
    before = ", ";
  }
  std::puts(" |");
}

void print_pipeline(const dp::PipelineEntry& pipeline) {
  std::printf("\n## %s\n\n| | stage | a packet may die here as |\n|---:|---|---|\n",
              pipeline.name.data());
  std::size_t number = 0;
  for (const dp::StageInfo& stage : pipeline.stages) print_stage(++number, stage);
}

}  // namespace

int main() {
  std::puts(
      "# Stages\n\n"
      "Made from `catalog.hpp` by `tools/gen`; change the pipelines, then `meson compile -C build "
      "documents`.\nWhat the reasons mean: `dataplane/contract/DROP_REASONS.md`.");
  for (const dp::PipelineEntry& pipeline : dp::catalog()) print_pipeline(pipeline);
}
