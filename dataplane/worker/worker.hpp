// SPDX-License-Identifier: Apache-2.0
// One core's work: take frames from its queues, run them through the pipeline of the port's role,
// send what comes out, publish the counters, say that it is quiescent, sleep if there was nothing.
#pragma once

#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "dataplane/pipeline/pipeline.hpp"
#include "dataplane/table/epoch.hpp"
#include "dataplane/worker/assignment.hpp"
#include "dataplane/worker/idle.hpp"
#include "dataplane/worker/nap.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>

namespace dp {

// Aligned, so that no two share a line.
class alignas(64) Worker final : public Egress {
 public:
  struct Config {
    base::WorkerId id;
    IdlePolicy idle;
    std::uint64_t seed = 0;  // Of random decisions: another one for each worker.
  };

  // What it and the housekeeper hand each other.
  struct Links {
    TraceBoard& board;
    TraceRing& traces;
    FrameRings& frames;
  };

  // `tables`, `epoch`, `pool` and all of `links` outlive the worker.
  Worker(const Config& config, const Tables& tables, Epoch& epoch, contract::WorkerBlock counters,
         rte_mempool& pool, const Links& links);

  // What the stages of this worker's pipelines are made with. The pipelines are set once, before
  // the thread starts.
  const Environment& environment() const noexcept { return environment_; }
  void set_pipelines(Pipelines pipelines) noexcept { pipelines_ = std::move(pipelines); }

  // Housekeeper: the next turn uses `assignment`, which stays alive until all workers passed on.
  void assign(const Assignment* assignment) noexcept {
    // Pairs with the loads in turn() and rest(). Sequentially consistent for naps().
    assignment_.store(assignment, std::memory_order_seq_cst);
    bell_.ring();
  }
  // Housekeeper: changes when the worker lies down and when it is up again; odd in between. Until
  // then the kernel keeps the ports open that poll() was told of, even closed ones. Asked after
  // assign(), an even number says that the worker watches none of the assignment before.
  std::uint64_t naps() const noexcept { return naps_.load(std::memory_order_seq_cst); }
  void stop() noexcept {
    stopping_.store(true, std::memory_order_relaxed);
    bell_.ring();
  }
  // To be rung by whoever has put something where this worker looks.
  Bell& bell() noexcept { return bell_; }

  // The worker's thread: until stop().
  void run() noexcept;
  // One round over all queues; returns the frames found. For tests that are their own worker, and
  // let time pass by `later_cycles` more than it did.
  std::uint32_t turn(std::uint64_t later_cycles = 0) noexcept;

  Sent send(base::PortId port, std::span<rte_mbuf*> frames) noexcept override;
  bool has(base::PortId port) const noexcept override {
    return current_->ports[port.value] != nullptr;
  }
  EgressQueue* queue(base::PortId port) noexcept override { return current_->queues[port.value]; }

 private:
  // Of which ports the queues are read.
  enum class Round : std::uint8_t { all_but_twins, twins };

  std::uint32_t serve_all(Round round) noexcept;
  std::uint32_t serve(const RxSource& source, Round round) noexcept;
  void run_diverted(Mode mode) noexcept;
  void send_for_housekeeper() noexcept;
  Mode choose_mode() noexcept;
  std::uint64_t queues_due_in_ns() const noexcept;
  void rest() noexcept;
  bool watch_all() noexcept;
  void publish(std::uint32_t frames, std::uint64_t started) noexcept;
  void count_gap(std::uint64_t started) noexcept;

  base::WorkerId id_;
  Epoch& epoch_;
  FrameRing& from_housekeeper_;
  Bell& bell_;
  Environment environment_;
  Tracer tracer_;
  Exits exits_;
  Pipelines pipelines_;
  Idle idle_;
  Nap nap_;
  std::atomic<const Assignment*> assignment_{nullptr};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> naps_{0};
  const Assignment* current_ = nullptr;  // Of the turn under way.
  std::uint32_t bursts_until_sample_ = 0;
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t tsc_hz_;
  std::uint64_t twins_rest_cycles_;
  std::uint64_t twins_read_at_ = 0;      // TSC.
  std::uint64_t turned_at_ = 0;          // TSC of the turn before; 0: it has slept since.
  std::uint64_t quarters_us_per_cycle_;  // Times 2^32.
  Batch batch_;
};

}  // namespace dp
