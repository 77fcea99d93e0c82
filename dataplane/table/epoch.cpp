// SPDX-License-Identifier: Apache-2.0
#include "dataplane/table/epoch.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/contract/limits.hpp"

#include <memory>

namespace dp {

base::Result<Epoch> Epoch::make(std::uint16_t worker_count_max, base::Generation first) noexcept {
  static_assert(contract::worker_count_max <= 64, "late_workers() has one bit per worker");
  if (worker_count_max == 0 || worker_count_max > contract::worker_count_max) {
    return base::fail(base::Errc::invalid_argument, "there are 1 to 64 workers");
  }
  const std::size_t bytes = sizeof(Shared) + rte_rcu_qsbr_get_memsize(worker_count_max);
  auto memory = map_table_memory(bytes);
  if (!memory) return std::unexpected(memory.error());

  auto* shared = std::construct_at(reinterpret_cast<Shared*>(memory->get()));
  Epoch epoch(std::move(*memory), shared, __RTE_QSBR_CNT_INIT, worker_count_max);
  shared->generation.store(first, std::memory_order_relaxed);  // No worker exists yet.
  CHECK(rte_rcu_qsbr_init(epoch.qsbr(), worker_count_max) == 0);
  return epoch;
}

base::Status Epoch::register_worker(base::WorkerId worker) noexcept {
  if (rte_rcu_qsbr_thread_register(qsbr(), worker.value) != 0) {
    return base::fail(base::Errc::invalid_argument, "no such worker number");
  }
  online(worker);
  return {};
}

void Epoch::unregister_worker(base::WorkerId worker) noexcept {
  offline(worker);
  CHECK(rte_rcu_qsbr_thread_unregister(qsbr(), worker.value) == 0);
}

// Exact for the generation in force. An older one's token was smaller by at least this much, as
// start_grace() takes tokens too: waiting for a later one is safe.
std::uint64_t Epoch::token_of(base::Generation generation) const noexcept {
  return flip_token_ + generation - current();
}

base::Generation Epoch::flip() noexcept {
  const base::Generation next = current() + 1;
  shared_->generation.store(next, std::memory_order_release);  // Pairs with enter_batch().
  flip_token_ = start_grace();
  return next;
}

std::uint64_t Epoch::start_grace() noexcept {
  const std::uint64_t token = rte_rcu_qsbr_start(qsbr());  // Pairs with quiescent().
  // Between the caller's stores and the loads in all_passed() and grace_passed(); its partner is in
  // online(). DPDK's, as ThreadSanitizer's compilers refuse the standard one.
  rte_atomic_thread_fence(__ATOMIC_SEQ_CST);
  return token;
}

bool Epoch::grace_passed(std::uint64_t grace) noexcept {
  constexpr bool wait = false;
  return rte_rcu_qsbr_check(qsbr(), grace, wait) == 1;
}

bool Epoch::all_passed(base::Generation generation) noexcept {
  // The token of a future one does not exist yet, or is some grace's.
  return generation <= current() && grace_passed(token_of(generation));
}

std::uint64_t Epoch::late_workers(base::Generation generation) const noexcept {
  const std::uint64_t token = token_of(generation);
  std::uint64_t late = 0;
  for (std::uint16_t worker = 0; worker < worker_count_max_; ++worker) {
    // Workers that never registered, or left, are offline too.
    const std::uint64_t seen = __atomic_load_n(&qsbr()->qsbr_cnt[worker].cnt, __ATOMIC_ACQUIRE);
    if (seen != __RTE_QSBR_CNT_THR_OFFLINE && seen < token) late |= std::uint64_t{1} << worker;
  }
  return late;
}

}  // namespace dp
