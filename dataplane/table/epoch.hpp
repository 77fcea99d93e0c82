// SPDX-License-Identifier: Apache-2.0
// The generation in force, and which workers have passed beyond the one before it.
//
// A worker's loop:  quiescent(); generation = enter_batch(); receive, look up, send; and again.
// quiescent() promises that no pointer into a table is held. Around sleep: offline(), online().
//
//     housekeeper                                 worker
//     stage for G+1 (relaxed, plain stores)
//     flip: store G+1, release ────────────────► enter_batch: load, acquire   (sees all staged)
//           token+1, release   ────────────────► quiescent: load token, acquire; the next
//                                                 enter_batch cannot return G any more
//     all_passed: load, acquire ◄──────────────── quiescent: store counter, release
//     settle, reuse (after all reads of G)        (its reads of G came before)
//
// online() and flip() each hold a full fence between their store and the load of what the other
// stores: either the housekeeper sees the worker online and waits for it, or the worker sees G+1.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/base/id.hpp"
#include "dataplane/table/memory.hpp"

#include <rte_rcu_qsbr.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace dp {

class Epoch {
 public:
  // `first` is the generation in force at the start. Needs no EAL.
  static base::Result<Epoch> make(std::uint16_t worker_count_max,
                                  base::Generation first = 0) noexcept;

  // A worker, on its own thread. After register_worker it is online.
  base::Status register_worker(base::WorkerId worker) noexcept;
  void unregister_worker(base::WorkerId worker) noexcept;

  // Once per batch; its result goes to every lookup of the batch.
  base::Generation enter_batch() const noexcept {
    return shared_->generation.load(std::memory_order_acquire);  // Pairs with flip().
  }
  void quiescent(base::WorkerId worker) noexcept { rte_rcu_qsbr_quiescent(qsbr(), worker.value); }
  // While offline it must not look anything up, and nobody waits for it.
  void offline(base::WorkerId worker) noexcept {
    rte_rcu_qsbr_thread_offline(qsbr(), worker.value);
  }
  void online(base::WorkerId worker) noexcept { rte_rcu_qsbr_thread_online(qsbr(), worker.value); }

  // The housekeeper. None of these waits.
  base::Generation current() const noexcept {
    return shared_->generation.load(std::memory_order_relaxed);  // Its own store.
  }
  // Puts what was staged for current()+1 in force and returns that number.
  base::Generation flip() noexcept;
  // No worker runs, or will run, a batch under a generation before this one.
  bool all_passed(base::Generation generation) noexcept;
  // The same for what is not in tables (ports, assignments, trace filters) and changes without a
  // new generation: has every worker been quiescent since start_grace()?
  std::uint64_t start_grace() noexcept;
  bool grace_passed(std::uint64_t grace) noexcept;
  // Those that all_passed still waits for, one bit per WorkerId; for the stall watchdog.
  std::uint64_t late_workers(base::Generation generation) const noexcept;

 private:
  // A line of its own: read once per batch by every worker, written once per commit. Behind it lies
  // the rte_rcu_qsbr, whose size is known at run time only.
  struct alignas(64) Shared {
    std::atomic<base::Generation> generation;
  };
  Epoch(TableMemory memory, Shared* shared, std::uint64_t flip_token,
        std::uint16_t worker_count_max) noexcept
      : memory_(std::move(memory)),
        shared_(shared),
        flip_token_(flip_token),
        worker_count_max_(worker_count_max) {}

  rte_rcu_qsbr* qsbr() const noexcept { return reinterpret_cast<rte_rcu_qsbr*>(shared_ + 1); }
  std::uint64_t token_of(base::Generation generation) const noexcept;

  TableMemory memory_;
  Shared* shared_;            // In memory_.
  std::uint64_t flip_token_;  // Of the generation in force.
  std::uint16_t worker_count_max_;
};

}  // namespace dp
