// SPDX-License-Identifier: Apache-2.0
// Pipeline: the stages that a packet passes, in order, as one type. The compiler checks that every
// stage finds what it needs, set by an earlier one.
#pragma once

#include "dataplane/contract/command.hpp"
#include "dataplane/pipeline/pass.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

namespace dp {

// A compiled pipeline as the worker sees it: one virtual call per burst.
class AnyPipeline {
 public:
  virtual ~AnyPipeline() = default;
  // Ends the life of every packet of the batch in `exits`, which are flushed, or leaves it among
  // the diverted.
  virtual void run(Batch& batch, Exits& exits, Mode mode) noexcept = 0;
  // Frames that Weir made and finished itself, to their out_port: only the last stage.
  virtual void send(Batch& batch, Exits& exits) noexcept = 0;
};

// All that a worker has.
struct Pipelines {
  // By contract::PortRole; nullptr: frames of such ports are not read.
  std::array<std::unique_ptr<AnyPipeline>, contract::port_role_count> by_role;
  // For what the others divert; nullptr where none of them does.
  std::unique_ptr<AnyPipeline> diverted;
};

// What the last, implicit stage of every pipeline is called and may do.
inline constexpr StageInfo transmit_info{
    .name = "transmit",
    .needs = {Fact::finished, Fact::tagged},
    .sets = {},
    .may_drop = {DropReason::port_missing, DropReason::tx_ring_full, DropReason::own_frame_refused,
                 DropReason::queue_full, DropReason::marker_dropped, DropReason::hand_over_full}};

// A literal as a template argument.
template <std::size_t N>
struct FixedString {
  char text[N];
  constexpr FixedString(const char (&literal)[N]) { std::copy_n(literal, N, text); }
  constexpr std::string_view view() const noexcept { return {text, N - 1}; }
};

namespace detail {

template <class Part>
constexpr auto infos_of() {
  if constexpr (requires { Part::infos; }) {
    return Part::infos;
  } else {
    return std::array<StageInfo, 1>{Part::info};
  }
}

template <class... Parts>
constexpr auto all_infos() {
  constexpr std::size_t count = (infos_of<Parts>().size() + ...);
  std::array<StageInfo, count + 1> result{};
  std::size_t next = 0;
  const auto append = [&](const auto& infos) {
    for (const StageInfo& info : infos) result[next++] = info;
  };
  (append(infos_of<Parts>()), ...);
  result[next] = transmit_info;
  return result;
}

// Index of the first stage whose needs are not met, or `stages.size()`.
constexpr std::size_t first_unmet(std::span<const StageInfo> stages) {
  Facts known{Fact::received};
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (!known.cover(stages[i].needs)) return i;
    known.bits |= stages[i].sets.bits;
  }
  return stages.size();
}

}  // namespace detail

template <FixedString pipeline_name, class... Parts>
class Pipeline final : public AnyPipeline {
 public:
  static constexpr std::string_view name = pipeline_name.view();
  static constexpr auto stages = detail::all_infos<Parts...>();
  static_assert(detail::first_unmet(stages) == stages.size(),
                "a stage needs what no earlier stage sets");

  // `first_stage`: where this pipeline's stages begin in the region's stage list.
  Pipeline(const Environment& environment, std::uint16_t first_stage)
      : counters_(environment.counters), first_stage_(first_stage), parts_(Parts(environment)...) {}

  void run(Batch& batch, Exits& exits, Mode mode) noexcept override {
    if (mode == Mode::fast) {
      run_from<0, Mode::fast>(batch, exits);
    } else {
      run_from<0, Mode::observed>(batch, exits);
    }
    exits.flush(transmit_stage());
  }
  void send(Batch& batch, Exits& exits) noexcept override {
    StageVisit<Mode::fast> visit(counters_, transmit_stage(), batch.size());
    exits.send_own(batch, transmit_stage());
    visit.finish();
  }

 private:
  static constexpr std::size_t part_count = sizeof...(Parts);

  template <std::size_t part>
  static constexpr std::size_t stages_before() {
    constexpr std::array<std::size_t, part_count> counts{detail::infos_of<Parts>().size()...};
    std::size_t sum = 0;
    for (std::size_t i = 0; i < part; ++i) sum += counts[i];
    return sum;
  }
  std::uint16_t transmit_stage() const noexcept {
    return static_cast<std::uint16_t>(first_stage_ + stages.size() - 1);
  }

  template <std::size_t part, Mode mode>
  void run_from(Batch& batch, Exits& exits) noexcept {
    if (batch.empty()) return;
    if constexpr (part == part_count) {
      transmit<mode>(batch, exits);
    } else {
      run_part<part, mode>(batch, exits);
      run_from<part + 1, mode>(batch, exits);
    }
  }

  template <std::size_t part, Mode mode>
  void run_part(Batch& batch, Exits& exits) noexcept {
    auto& stage = std::get<part>(parts_);
    const auto index = static_cast<std::uint16_t>(first_stage_ + stages_before<part>());
    if constexpr (requires { stage.template process<mode>(batch, exits, counters_, index); }) {
      stage.template process<mode>(batch, exits, counters_, index);
    } else {
      StageVisit<mode> visit(counters_, index, batch.size());
      if constexpr (requires { stage.process(batch, exits, index); }) {
        stage.process(batch, exits, index);
      } else {
        // A stage that makes packets: what it passes to `next` runs through the rest at once.
        stage.process(batch, exits, index, [this, &exits, &visit](Batch& more) noexcept {
          run_rest<part + 1, mode>(more, exits, visit);
        });
      }
      visit.finish();
      if constexpr (mode == Mode::observed) note_hops(index, batch, exits);
    }
  }

  template <std::size_t part, Mode mode>
  void run_rest(Batch& more, Exits& exits, StageVisit<mode>& visit) noexcept {
    if constexpr (mode == Mode::fast) {
      run_from<part, mode>(more, exits);
    } else {
      const std::uint64_t started = rte_rdtsc();
      note_hops(static_cast<std::uint16_t>(first_stage_ + stages_before<part>() - 1), more, exits);
      run_from<part, mode>(more, exits);
      visit.exclude(rte_rdtsc() - started);
    }
  }

  static void note_hops(std::uint16_t stage, Batch& batch, Exits& exits) noexcept {
    for (std::uint16_t i = 0; i < batch.size(); ++i) exits.tracer().hop(stage, batch[i]);
  }

  template <Mode mode>
  void transmit(Batch& batch, Exits& exits) noexcept {
    StageVisit<mode> visit(counters_, transmit_stage(), batch.size());
    exits.send(batch, transmit_stage());
    visit.finish();
  }

  contract::WorkerBlock counters_;
  std::uint16_t first_stage_;
  std::tuple<Parts...> parts_;
};

}  // namespace dp
