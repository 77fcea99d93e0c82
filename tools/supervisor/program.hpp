// SPDX-License-Identifier: Apache-2.0
// One life of the program: its process, and what it said of itself.
#pragma once

#include "dataplane/base/error.hpp"
#include "tools/supervisor/notify_socket.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>

namespace supervisor {

class Program {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = std::chrono::milliseconds;

  static constexpr int not_found = 127;  // The exit status, as of a shell.

  // Dies with this thread. `watchdog` 0: it is not told of one.
  static base::Result<Program> start(std::span<const std::string> command,
                                     const NotifySocket& notify, Time watchdog);

  pid_t pid() const noexcept { return pid_; }
  void take(const Notice& notice, Clock::time_point now);
  // When it will have been silent for too long; none: nobody knows of a silence.
  std::optional<Clock::time_point> silent_at() const;
  std::optional<Time> in_force(Clock::time_point now) const;
  bool stopping() const noexcept { return stopping_; }
  // It gave what it had to its successor: its end is none of its task.
  bool replaced() const noexcept { return replaced_; }
  // SIGABRT, and SIGKILL where that does not help. Asked again until it is dead.
  void end_by_force(Clock::time_point now);

 private:
  Program(pid_t pid, Time watchdog, Clock::time_point now)
      : pid_(pid), watchdog_(watchdog), heard_(now) {}

  pid_t pid_;
  Time watchdog_;
  Clock::time_point heard_;
  std::optional<Clock::time_point> ready_;
  std::optional<Clock::time_point> kill_at_;
  bool stopping_ = false;
  bool replaced_ = false;
};

}  // namespace supervisor
