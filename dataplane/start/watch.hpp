// SPDX-License-Identifier: Apache-2.0
// A thread that looks whether workers and housekeeper go on, and tells who supervises the process.
// A worker that stands still is named with its stack, and the process ends, to be started anew.
//
// A worker's heartbeat is its passing of quiescent points: one that sleeps (offline) is well. One
// that is late is stalled where it used up its time on a processor, or the kernel holds it; where
// it waits for a processor, or this thread was not run itself, the machine is busy and nobody is
// stuck.
#pragma once

#include "dataplane/base/supervisor.hpp"
#include "dataplane/start/workers.hpp"
#include "dataplane/table/epoch.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

namespace dp {

class Watch {
 public:
  struct Parts {
    Epoch& epoch;                                // Outlives the watch, as the counters do.
    std::vector<WorkerThreads::Thread> workers;  // By WorkerId.
    std::vector<const std::uint64_t*> turns;     // The same: what each counts.
    const std::uint64_t& housekeeper_ns;         // CLOCK_MONOTONIC of its last turn.
    WorkerThreads::Thread housekeeper;
    base::Supervisor supervisor;
    // So long a worker may stand still; 0: for ever.
    std::chrono::milliseconds limit;
    std::function<void()> recycle;  // Ends the process, or a test's wait for it.
  };

  explicit Watch(Parts parts);
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // From here on nobody is watched: the process ends, or that one has taken its place.
  void stop(std::uint64_t successor_pid = 0);

 private:
  void run();
  void look(std::uint64_t now_ns);
  void begin_round(std::uint64_t now_ns);
  std::vector<std::size_t> find_stalled() const;
  void judge_late(std::uint64_t now_ns);
  bool housekeeper_lives(std::uint64_t now_ns);

  Parts parts_;
  std::uint64_t round_ = 0;  // Epoch's number of it.
  std::uint64_t round_began_ns_ = 0;
  std::uint64_t round_generation_ = 0;        // In force as it began.
  std::vector<std::uint64_t> cpu_before_ns_;  // Of each worker, as it began.
  std::vector<std::uint64_t> turns_before_;   // The same.
  std::uint64_t looked_ns_ = 0;
  bool told_ready_ = false;
  bool told_housekeeper_ = false;
  std::mutex mutex_;  // Of stopping_.
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace dp
