// SPDX-License-Identifier: Apache-2.0
#include "dataplane/start/workers.hpp"

#include "dataplane/base/log.hpp"
#include "dataplane/start/stack.hpp"

#include <rte_lcore.h>

#include <csignal>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

namespace dp {
namespace {

// net_tap wakes its reader by a real-time signal per frame. Workers take them, which even ends
// their sleep early; the housekeeper and the port thread were started with all signals blocked.
void take_real_time_signals() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) sigaddset(&signals, signal);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void run_worker(Worker& worker, std::atomic<pid_t>& id) noexcept {
  // Release pairs with the acquire in threads().
  id.store(::gettid(), std::memory_order_release);
  id.notify_all();
  take_real_time_signals();
  answer_stack_signal();
  // What it touches first is its own.
  (void)prefer_sockets({});
  // An lcore number gives the thread a cache of its own in the mbuf pool.
  if (rte_thread_register() != 0) LOG(warning, "worker_without_mbuf_cache");
  worker.run();
  rte_thread_unregister();
}

}  // namespace

base::Status WorkerThreads::start(const Config& config, const CountersOf& counters_of,
                                  const MakePipelines& make_pipelines) {
  for (std::uint16_t id = 0; id < config.count; ++id) {
    const int socket = id < config.places.size() ? config.places[id].socket : no_socket;
    trace_rings_.push_back(make_on_socket<TraceRing>(socket));
    frame_rings_.push_back(make_on_socket<FrameRings>(socket));
    workers_.push_back(make_on_socket<Worker>(
        socket,
        Worker::Config{.id = base::WorkerId{id}, .idle = config.idle, .seed = random_seed().low},
        tables_, epoch_, counters_of(id), pool_,
        Worker::Links{
            .board = board_, .traces = *trace_rings_.back(), .frames = *frame_rings_.back()}));
    workers_.back()->set_pipelines(make_pipelines(workers_.back()->environment()));
    worker_list_.push_back(workers_.back().get());
    trace_ring_list_.push_back(trace_rings_.back().get());
    frame_ring_list_.push_back(frame_rings_.back().get());
  }
  for (std::uint16_t id = 0; id < config.count; ++id) {
    thread_ids_.push_back(std::make_unique<std::atomic<pid_t>>(0));
    threads_.emplace_back(run_worker, std::ref(*workers_[id]), std::ref(*thread_ids_.back()));
    pthread_setname_np(threads_.back().native_handle(), ("worker" + std::to_string(id)).c_str());
    if (config.cores.empty()) continue;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(config.cores[id], &set);
    const int error = pthread_setaffinity_np(threads_.back().native_handle(), sizeof set, &set);
    if (error != 0) {
      return base::fail(base::Errc::invalid_argument,
                        "a worker cannot be pinned: --cores names a core that is not ours", error);
    }
  }
  return {};
}

std::vector<WorkerThreads::Thread> WorkerThreads::threads() {
  std::vector<Thread> all;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    thread_ids_[i]->wait(0, std::memory_order_acquire);
    all.push_back({.handle = threads_[i].native_handle(),
                   .id = thread_ids_[i]->load(std::memory_order_acquire)});
  }
  return all;
}

void WorkerThreads::stop() {
  for (Worker* worker : worker_list_) worker->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace dp
