// SPDX-License-Identifier: Apache-2.0
#include "dataplane/start/watch.hpp"

#include "dataplane/base/clock.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/start/stack.hpp"

#include <ctime>
#include <fstream>
#include <string>

namespace dp {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t ms = 1'000'000;
constexpr milliseconds look_interval{10};
// Later than this the thread was held up itself, and so may have been those that it looks at.
constexpr std::uint64_t late_look_ns = 50 * ms;
// Its turns take a millisecond; a call into a driver may wait for the kernel longer than that.
constexpr std::uint64_t housekeeper_limit_ns = 1000 * ms;
// A thread that runs waits for a processor, at worst; one that the kernel holds never answers.
constexpr milliseconds stack_patience{100};

std::uint64_t cpu_time_of(const WorkerThreads::Thread& thread) noexcept {
  clockid_t clock{};
  return ::pthread_getcpuclockid(thread.handle, &clock) == 0 ? base::clock_ns(clock) : 0;
}

// Of another thread, which is its only writer, by contract::set() or add().
std::uint64_t load(const std::uint64_t& counter) noexcept {
  return __atomic_load_n(&counter, __ATOMIC_RELAXED);
}

// As in proc(5): R runs or waits for a processor, S and D the kernel holds, t and T a debugger.
char state_of(const WorkerThreads::Thread& thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread.id) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(") ");
  return name_end == std::string::npos || name_end + 2 >= line.size() ? '?' : line[name_end + 2];
}

void log_stack(std::string_view who, const WorkerThreads::Thread& thread) {
  const std::vector<std::string> frames = stack_of(thread.handle, stack_patience);
  if (frames.empty()) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread.id) + "/wchan");
    std::string where;
    std::getline(file, where);
    LOG(error, "stack", {"thread", who}, {"frame", "does not answer"}, {"kernel", where});
  }
  // One line each, past the limit of lines from one place.
  for (std::size_t i = 0; i < frames.size(); ++i) {
    base::LogSite site;
    base::write_log(site, base::LogLevel::error, "stack",
                    {{"thread", who}, {"number", i}, {"frame", frames[i]}});
  }
}

}  // namespace

Watch::Watch(Parts parts)
    : parts_(std::move(parts)),
      cpu_before_ns_(parts_.workers.size()),
      turns_before_(parts_.workers.size()) {
  (void)parts_.supervisor.status("waits for weir-controlplane to say what is wanted");
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "watch");
}

void Watch::stop(std::uint64_t successor_pid) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (successor_pid != 0) {
    (void)parts_.supervisor.replaced_by(successor_pid);
  } else {
    (void)parts_.supervisor.stopping();
  }
}

void Watch::run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, look_interval, [this] { return stopping_; })) {
    look(base::monotonic_ns());
  }
}

void Watch::look(std::uint64_t now_ns) {
  const bool was_held_up = now_ns - looked_ns_ > late_look_ns;
  looked_ns_ = now_ns;
  if (was_held_up) return begin_round(now_ns);
  if (!parts_.epoch.grace_passed(round_)) return judge_late(now_ns);

  // A worker that passed has seen the generation of the round's beginning.
  if (!told_ready_ && round_generation_ > 0) {
    told_ready_ = parts_.supervisor.ready("what is wanted is in force");
  }
  if (housekeeper_lives(now_ns)) parts_.supervisor.alive(now_ns);
  begin_round(now_ns);
}

void Watch::begin_round(std::uint64_t now_ns) {
  round_generation_ = parts_.epoch.enter_batch();
  round_ = parts_.epoch.start_grace();
  round_began_ns_ = now_ns;
  for (std::size_t i = 0; i < parts_.workers.size(); ++i) {
    cpu_before_ns_[i] = cpu_time_of(parts_.workers[i]);
    turns_before_[i] = load(*parts_.turns[i]);
  }
}

// Of those that made no turn: who ran all the time, else all, where the kernel holds every one.
// Then one at least does not sleep of its own accord, or the round would have passed.
std::vector<std::size_t> Watch::find_stalled() const {
  const auto much_ns = static_cast<std::uint64_t>(parts_.limit.count()) * ms / 2;
  std::vector<std::size_t> held;
  bool all_are_held = true;
  for (std::size_t i = 0; i < parts_.workers.size(); ++i) {
    if (load(*parts_.turns[i]) != turns_before_[i]) continue;
    if (cpu_time_of(parts_.workers[i]) - cpu_before_ns_[i] >= much_ns) return {i};
    const char state = state_of(parts_.workers[i]);
    all_are_held &= state == 'S' || state == 'D';
    held.push_back(i);
  }
  return all_are_held ? held : std::vector<std::size_t>{};
}

void Watch::judge_late(std::uint64_t now_ns) {
  const std::uint64_t age_ns = now_ns - round_began_ns_;
  if (parts_.limit.count() == 0 || age_ns < static_cast<std::uint64_t>(parts_.limit.count()) * ms) {
    return;
  }
  const std::vector<std::size_t> stalled = find_stalled();
  if (stalled.empty()) return;
  for (const std::size_t i : stalled) {
    const WorkerThreads::Thread& worker = parts_.workers[i];
    LOG(error, "worker_stalled", {"worker", i}, {"ms", age_ns / ms},
        {"cpu_ms", (cpu_time_of(worker) - cpu_before_ns_[i]) / ms},
        {"state", std::string(1, state_of(worker))},
        {"effect", "the process ends, to be started again"});
    log_stack("worker" + std::to_string(i), worker);
  }
  parts_.recycle();
  begin_round(now_ns);
}

bool Watch::housekeeper_lives(std::uint64_t now_ns) {
  const std::uint64_t turned_ns = load(parts_.housekeeper_ns);  // 0 before its first turn.
  const bool lives = turned_ns == 0 || now_ns < turned_ns + housekeeper_limit_ns;
  if (!lives && !told_housekeeper_) {
    LOG(error, "housekeeper_stalled", {"ms", (now_ns - turned_ns) / ms});
    log_stack("housekeeper", parts_.housekeeper);
  }
  told_housekeeper_ = !lives;
  return lives;
}

}  // namespace dp
