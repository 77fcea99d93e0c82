// SPDX-License-Identifier: Apache-2.0
// The worker threads: each with its worker, its rings and its pipelines, pinned to its core.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/contract/region.hpp"
#include "dataplane/start/on_socket.hpp"
#include "dataplane/start/placement.hpp"
#include "dataplane/worker/worker.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <pthread.h>
#include <span>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace dp {

class WorkerThreads {
 public:
  // As the watch needs it.
  struct Thread {
    pthread_t handle;
    pid_t id;
  };
  struct Config {
    std::uint16_t count;
    std::vector<unsigned> cores;  // Empty: not pinned.
    IdlePolicy idle;
    std::span<const WorkerPlace> places = {};  // By worker; what is missing is nowhere.
  };
  using MakePipelines = std::function<Pipelines(const Environment&)>;
  using CountersOf = std::function<contract::WorkerBlock(std::uint32_t worker)>;

  // All outlive the threads.
  WorkerThreads(const Tables& tables, Epoch& epoch, rte_mempool& pool, TraceBoard& board)
      : tables_(tables), epoch_(epoch), pool_(pool), board_(board) {}
  ~WorkerThreads() { stop(); }
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  base::Status start(const Config& config, const CountersOf& counters_of,
                     const MakePipelines& make_pipelines);
  void stop();

  // By WorkerId.
  std::vector<Thread> threads();
  std::span<Worker* const> workers() const noexcept { return worker_list_; }
  std::span<TraceRing* const> trace_rings() const noexcept { return trace_ring_list_; }
  std::span<FrameRings* const> frame_rings() const noexcept { return frame_ring_list_; }

 private:
  const Tables& tables_;
  Epoch& epoch_;
  rte_mempool& pool_;
  TraceBoard& board_;
  // Each at the socket of its worker.
  std::vector<OnSocket<TraceRing>> trace_rings_;
  std::vector<OnSocket<FrameRings>> frame_rings_;
  std::vector<OnSocket<Worker>> workers_;
  std::vector<Worker*> worker_list_;
  std::vector<TraceRing*> trace_ring_list_;
  std::vector<FrameRings*> frame_ring_list_;
  std::vector<std::unique_ptr<std::atomic<pid_t>>> thread_ids_;  // Each written by its thread.
  std::vector<std::thread> threads_;
};

}  // namespace dp
