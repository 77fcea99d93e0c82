// SPDX-License-Identifier: Apache-2.0
// Pass: steps fused into one loop over a batch. Where the loops are was worth 30 % in a synthetic
// test (8 steps, batch 64), so a pipeline chooses them by how it groups its steps.
#pragma once

#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "dataplane/pipeline/stage.hpp"

#include <rte_cycles.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

namespace dp {

// How a batch is run. `fast` is the product; `observed` runs every step in a loop of its own, takes
// its cycles and records traced packets. Both are compiled from the same stages.
enum class Mode : std::uint8_t { fast, observed };

// Counts one stage's visit by a batch, and its cycles where observed.
template <Mode mode>
class StageVisit {
 public:
  StageVisit(const contract::WorkerBlock& counters, std::uint16_t stage,
             std::uint16_t packets) noexcept
      : counters_(counters.stages[stage]), packets_(packets) {
    contract::add(counters_.packets, packets);
    if constexpr (mode == Mode::observed) started_ = rte_rdtsc();
  }
  void finish() noexcept {
    if constexpr (mode == Mode::observed) {
      contract::add(counters_.cycles_sampled, rte_rdtsc() - started_ - excluded_);
      contract::add(counters_.packets_sampled, packets_);
    }
  }
  // Time that later stages took within this one, which count it themselves.
  void exclude(std::uint64_t cycles) noexcept { excluded_ += cycles; }

 private:
  contract::StageCounters& counters_;
  std::uint16_t packets_;
  std::uint64_t started_ = 0;
  std::uint64_t excluded_ = 0;
};

// Where the packets of a batch are alike, and the batch says so (Batch::has_one_vtep), steps can
// spare each of them the questions that were answered for the first. A pass all of whose steps do
// is spared its loop for that part of the batch.
template <class T>
concept JudgesFront = requires(T step, Batch& batch, std::size_t count) {
  // Of the first `count` packets judges some from the front, all of which are kept, and says how
  // many. handle() may be asked of the others again.
  { step.handle_front(batch, count) } noexcept -> std::same_as<std::size_t>;
};

template <Step... Steps>
class Pass {
 public:
  static constexpr std::size_t stage_count = sizeof...(Steps);
  static constexpr std::array<StageInfo, stage_count> infos{Steps::info...};

  explicit Pass(const Environment& environment) : steps_(Steps(environment)...) {}

  // `first_stage` is the index of the first step in the region's stage list.
  template <Mode mode>
  void process(Batch& batch, Exits& exits, const contract::WorkerBlock& counters,
               std::uint16_t first_stage) noexcept {
    if constexpr (mode == Mode::fast) {
      run_fused(batch, exits, counters, first_stage, std::index_sequence_for<Steps...>{});
    } else {
      run_apart(batch, exits, counters, first_stage, std::index_sequence_for<Steps...>{});
    }
  }

 private:
  // A function of its own, with all steps inlined: then the loop has the registers to itself.
  template <std::size_t... I>
  [[gnu::noinline, gnu::flatten]] void run_fused(Batch& batch, Exits& exits,
                                                 const contract::WorkerBlock& counters,
                                                 std::uint16_t first_stage,
                                                 std::index_sequence<I...>) noexcept {
    (begin_batch(std::get<I>(steps_), batch), ...);
    const std::size_t entered = batch.size();
    std::size_t kept = 0;
    if constexpr ((JudgesFront<Steps> && ...)) {
      kept = entered;
      ((kept = std::get<I>(steps_).handle_front(batch, kept)), ...);
    }
    std::array<std::uint16_t, stage_count> died{};
    for (std::size_t i = kept; i < entered; ++i) {
      // Not kept as a Packet, which g++ 12 would put on the stack.
      rte_mbuf* mbuf = batch.mbuf(static_cast<std::uint16_t>(i));
      PacketMeta& meta = batch.meta(static_cast<std::uint16_t>(i));
      Verdict verdict = keep;
      std::size_t step = 0;
      // Stops at the first step that does not keep the packet.
      const bool lives =
          ((step = I, verdict = std::get<I>(steps_).handle({mbuf, meta}), verdict == keep) && ...);
      if (!lives) [[unlikely]] {  // Dying packets are rare where traffic is well.
        ++died[step];
        exits.end(static_cast<std::uint16_t>(first_stage + step), mbuf, meta, verdict);
        continue;
      }
      if (kept != i) [[unlikely]]
        batch.move_down(i, kept);
      ++kept;
    }
    batch.keep(static_cast<std::uint16_t>(kept));
    (end_batch(std::get<I>(steps_), batch), ...);

    std::uint16_t packets = static_cast<std::uint16_t>(entered);
    for (std::size_t step = 0; step < stage_count; ++step) {
      contract::add(counters.stages[first_stage + step].packets, packets);
      packets = static_cast<std::uint16_t>(packets - died[step]);
    }
  }

  template <std::size_t... I>
  [[gnu::noinline]] void run_apart(Batch& batch, Exits& exits,
                                   const contract::WorkerBlock& counters, std::uint16_t first_stage,
                                   std::index_sequence<I...>) noexcept {
    (run_one(std::get<I>(steps_), batch, exits, counters,
             static_cast<std::uint16_t>(first_stage + I)),
     ...);
  }

  template <class OneStep>
  static void run_one(OneStep& step, Batch& batch, Exits& exits,
                      const contract::WorkerBlock& counters, std::uint16_t stage) noexcept {
    StageVisit<Mode::observed> visit(counters, stage, batch.size());
    std::array<Verdict, burst_max> verdicts;
    begin_batch(step, batch);
    for (std::uint16_t i = 0; i < batch.size(); ++i) verdicts[i] = step.handle(batch[i]);
    end_batch(step, batch);
    visit.finish();

    std::uint16_t kept = 0;
    for (std::uint16_t i = 0; i < batch.size(); ++i) {
      if (verdicts[i] != keep) {
        exits.end(stage, batch.mbuf(i), batch.meta(i), verdicts[i]);
        continue;
      }
      exits.tracer().hop(stage, batch[i]);
      if (kept != i) batch.move_down(i, kept);
      ++kept;
    }
    batch.keep(kept);
  }

  // A step may keep something from packet to packet, its counts above all, until the batch ends.
  template <class OneStep>
  static void begin_batch(OneStep& step, Batch& batch) noexcept {
    if constexpr (requires { step.begin_batch(batch); }) {
      step.begin_batch(batch);
    } else if constexpr (requires { step.begin_batch(); }) {
      step.begin_batch();
    }
  }
  template <class OneStep>
  static void end_batch(OneStep& step, Batch& batch) noexcept {
    if constexpr (requires { step.end_batch(batch); }) {
      step.end_batch(batch);
    } else if constexpr (requires { step.end_batch(); }) {
      step.end_batch();
    }
  }

  std::tuple<Steps...> steps_;
};

}  // namespace dp
