// SPDX-License-Identifier: Apache-2.0
// The loop: a program is started, heard, watched, buried and started again; or a second one is
// started beside it, which takes its place.
#pragma once

#include "dataplane/base/error.hpp"
#include "tools/supervisor/notify_socket.hpp"
#include "tools/supervisor/options.hpp"
#include "tools/supervisor/program.hpp"

#include <optional>
#include <string>

namespace supervisor {

class Supervision {
 public:
  // All signals are blocked and come by `signals`, a signalfd.
  Supervision(const Options& options, NotifySocket notify, int signals)
      : options_(options),
        notify_(std::move(notify)),
        signals_(signals),
        crashes_(options.crashes) {}

  // The exit status of the supervision.
  int run();

 private:
  using Clock = Program::Clock;

  base::Status start();
  void wait();
  void hear();
  void take_signal(int number);
  void bury();
  void died(int status);
  void replace();
  void drop_successor();
  bool succeeded(int status);
  void watch(Clock::time_point now);
  void write_pid_file() const;

  const Options& options_;
  NotifySocket notify_;
  int signals_;
  CrashLoop crashes_;
  std::optional<Program> program_;
  std::optional<Program> successor_;           // Of the program, which lives.
  Clock::time_point successor_until_;          // It has no longer than this to take over.
  std::string safe_mode_;                      // Why; empty: not in it.
  Clock::time_point start_at_ = Clock::now();  // While there is no program.
  std::optional<Clock::time_point> stop_by_;   // The program was asked to end.
  bool again_ = false;                         // … to be started anew.
  std::optional<int> result_;                  // The supervision is over.
};

}  // namespace supervisor
