// SPDX-License-Identifier: Apache-2.0
#include "tools/supervisor/supervise.hpp"

#include "dataplane/base/log.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace supervisor {
namespace {

constexpr int status_done = 0;
constexpr int status_usage = 2;
// A successor says by itself when it cannot take over, unless it stands still.
constexpr std::chrono::seconds succession{90};

std::string how(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
    return "signal " + std::to_string(SIGSYS) +
           ", a system call outside its list: the kernel's log names it (type=1326), and "
           "--seccomp=log lets it through";
  }
  return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                             : "status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

int Supervision::run() {
  while (!result_) {
    if (!program_ && Clock::now() >= start_at_) {
      if (const auto started = start(); !started) {
        LOG(error, "not_started", {"reason", started.error().text});
        return 1;
      }
    }
    wait();
    hear();
    bury();
    watch(Clock::now());
  }
  return *result_;
}

base::Status Supervision::start() {
  std::vector<std::string> command = options_.command;
  if (!safe_mode_.empty()) command.push_back("--safe-mode=" + safe_mode_);
  auto program = Program::start(command, notify_, options_.watchdog);
  if (!program) return std::unexpected(program.error());
  program_ = *program;
  write_pid_file();
  return {};
}

// Until something happens or is due.
void Supervision::wait() {
  std::array<pollfd, 2> descriptors{
      pollfd{.fd = signals_, .events = POLLIN, .revents = 0},
      pollfd{.fd = notify_.descriptor(), .events = POLLIN, .revents = 0}};
  std::optional<Clock::time_point> due = program_ ? program_->silent_at() : start_at_;
  if (successor_) due = std::min(successor_until_, due.value_or(successor_until_));
  if (stop_by_) due = std::min(*stop_by_, due.value_or(*stop_by_));
  int ms = -1;
  if (due) {
    const auto left = std::chrono::ceil<Program::Time>(*due - Clock::now());
    ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
  }
  if (::poll(descriptors.data(), descriptors.size(), ms) <= 0) return;
  signalfd_siginfo signal{};
  while (::read(signals_, &signal, sizeof signal) == sizeof signal) {
    take_signal(static_cast<int>(signal.ssi_signo));
  }
}

// What others than the program itself say is not heard.
void Supervision::hear() {
  while (const auto notice = notify_.receive()) {
    for (auto* one : {&program_, &successor_}) {
      if (*one && (*one)->pid() == notice->sender) (*one)->take(*notice, Clock::now());
    }
  }
}

void Supervision::take_signal(int number) {
  switch (number) {
    case SIGCHLD: return;
    case SIGUSR2: return replace();
    case SIGHUP:
      LOG(info, "starting_anew");
      safe_mode_.clear();
      crashes_.forget();
      start_at_ = Clock::now();
      if (!program_) return;
      again_ = true;
      number = SIGTERM;
      break;
    case SIGTERM:
    case SIGINT:
      again_ = false;
      if (!program_) result_ = 0;
      break;
    default:
      if (program_) (void)::kill(program_->pid(), number);
      return;
  }
  if (!program_) return;
  drop_successor();
  (void)::kill(program_->pid(), number);
  stop_by_ = Clock::now() + options_.patience;
}

// The program that is on the disk now starts beside the one that runs, and ends it when it is ready
// to take its place. What runs goes on where the other one fails.
void Supervision::replace() {
  if (!program_ || !program_->in_force(Clock::now()) || stop_by_ || successor_ ||
      !safe_mode_.empty()) {
    LOG(warning, "not_replaced",
        {"reason", successor_ ? "it is being replaced already" : "nothing is in force"},
        {"way_out", "SIGHUP starts it anew"});
    return;
  }
  std::vector<std::string> command = options_.command;
  command.push_back("--take-over");
  auto started = Program::start(command, notify_, options_.watchdog);
  if (!started) {
    LOG(error, "successor_failed", {"reason", started.error().text});
    return;
  }
  LOG(info, "replacing", {"pid", program_->pid()}, {"by", started->pid()});
  successor_ = *started;
  successor_until_ = Clock::now() + succession;
}

void Supervision::drop_successor() {
  if (!successor_) return;
  (void)::kill(successor_->pid(), SIGKILL);
  (void)::waitpid(successor_->pid(), nullptr, 0);
  successor_.reset();
}

// Whether the program that ended was replaced, be it because it crashed meanwhile: its successor
// copes with that, or ends, too.
bool Supervision::succeeded(int status) {
  if (!successor_) return false;
  LOG(info, "replaced", {"pid", program_->pid()}, {"how", how(status)}, {"by", successor_->pid()});
  program_ = std::exchange(successor_, std::nullopt);
  write_pid_file();
  return true;
}

// Every dead child, as we may be the first process of a container and inherit others.
void Supervision::bury() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (successor_ && pid == successor_->pid()) {
      LOG(error, "successor_failed", {"how", how(status)}, {"effect", "the program goes on"});
      successor_.reset();
    } else if (program_ && pid == program_->pid()) {
      died(status);
    }
  }
}

void Supervision::died(int status) {
  hear();  // Its last words may say that it was in force.
  if (succeeded(status)) return;
  const auto in_force = program_->in_force(Clock::now());
  // By one that died before it was in force: nobody is left.
  const bool was_replaced = program_->replaced();
  program_.reset();
  const bool was_asked = stop_by_.has_value();
  stop_by_.reset();
  if (was_asked && again_) {
    again_ = false;
    start_at_ = Clock::now();
    return;
  }
  const int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  const bool is_done = code == status_done && !was_replaced;
  if (was_asked || is_done || code == status_usage || code == Program::not_found) {
    if (code == Program::not_found) {
      LOG(error, "not_started", {"reason", "no such program"},
          {"program", options_.command.front()});
    }
    result_ = code;
    return;
  }
  const CrashLoop::Next next = crashes_.died(in_force);
  LOG(error, "program_died", {"program", options_.command.front()}, {"how", how(status)},
      {"in_force_ms", in_force ? in_force->count() : -1}, {"early_deaths", crashes_.early_deaths()},
      {"again_in_ms", next.delay.count()});
  start_at_ = Clock::now() + next.delay;
  if (!next.safe_mode || !safe_mode_.empty()) return;
  safe_mode_ = "it died " + std::to_string(crashes_.early_deaths()) + " times, each at most " +
               std::to_string(options_.crashes.young.count() / 1000) +
               " s after all was in force, last by " + how(status);
  LOG(error, "safe_mode", {"reason", safe_mode_}, {"way_out", "SIGHUP to weir-supervisor"});
}

void Supervision::watch(Clock::time_point now) {
  if (successor_ && now >= successor_until_) {
    LOG(error, "successor_failed", {"how", "it takes too long"}, {"effect", "the program goes on"});
    drop_successor();
  }
  if (!program_) return;
  if (stop_by_ && now >= *stop_by_) {
    LOG(error, "program_does_not_end", {"effect", "killed"});
    (void)::kill(program_->pid(), SIGKILL);
    stop_by_ = now + options_.patience;
  }
  const auto silent = program_->silent_at();
  if (!silent || now < *silent) return;
  LOG(error, "program_is_silent", {"pid", program_->pid()}, {"ms", options_.watchdog.count()},
      {"effect", "ended, to be started again"});
  program_->end_by_force(now);
}

// Whole or not at all: others read it at any moment.
void Supervision::write_pid_file() const {
  if (options_.pid_file.empty()) return;
  const std::string unfinished = options_.pid_file + ".new";
  {
    std::ofstream file(unfinished);
    file << program_->pid() << '\n';
  }
  if (std::rename(unfinished.c_str(), options_.pid_file.c_str()) != 0) {
    LOG(warning, "pid_file_not_written", {"file", options_.pid_file});
  }
}

}  // namespace supervisor
