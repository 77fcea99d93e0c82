// SPDX-License-Identifier: Apache-2.0
#include "tools/supervisor/program.hpp"

#include "dataplane/base/log.hpp"

#include <cerrno>
#include <csignal>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>
#include <vector>

namespace supervisor {
namespace {

constexpr Program::Time abort_patience{500};

// In the child: between fork and exec only system calls.
[[noreturn]] void become(char* const* arguments, char* const* environment) noexcept {
  sigset_t none;
  sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
  // It dies with us even where we are killed; its session is its own, so that Ctrl-C reaches it
  // once, through us.
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)::setsid();
  (void)::execvpe(arguments[0], arguments, environment);
  ::_exit(Program::not_found);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (std::string& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment_of(const NotifySocket& notify, Program::Time watchdog) {
  std::vector<std::string> all;
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (!text.starts_with("NOTIFY_SOCKET=") && !text.starts_with("WATCHDOG_")) {
      all.emplace_back(text);
    }
  }
  all.push_back("NOTIFY_SOCKET=" + notify.name());
  if (watchdog.count() > 0) {
    all.push_back("WATCHDOG_USEC=" + std::to_string(watchdog.count() * 1000));
  }
  return all;
}

}  // namespace

base::Result<Program> Program::start(std::span<const std::string> command,
                                     const NotifySocket& notify, Time watchdog) {
  std::vector<std::string> words(command.begin(), command.end());
  std::vector<std::string> variables = environment_of(notify, watchdog);
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> environment = pointers(variables);
  const pid_t pid = ::fork();
  if (pid < 0) return base::fail(base::Errc::io, "the program cannot be started", errno);
  if (pid == 0) become(arguments.data(), environment.data());
  return Program(pid, watchdog, Clock::now());
}

void Program::take(const Notice& notice, Clock::time_point now) {
  if (notice.ready && !ready_) ready_ = now;
  if (notice.ready || notice.alive) heard_ = now;
  if (notice.stopping) stopping_ = true;
  if (notice.replaced) replaced_ = true;
  if (!notice.status.empty()) {
    LOG(info, "program_says", {"pid", pid_}, {"ready", ready_ ? 1 : 0}, {"status", notice.status});
  }
  if (notice.asks_for_end) end_by_force(now);
}

std::optional<Program::Clock::time_point> Program::silent_at() const {
  if (kill_at_) return kill_at_;
  // As systemd: from READY=1 on, and no longer where it is stopping.
  if (!ready_ || stopping_ || watchdog_.count() == 0) return std::nullopt;
  return heard_ + watchdog_;
}

std::optional<Program::Time> Program::in_force(Clock::time_point now) const {
  if (!ready_) return std::nullopt;
  return std::chrono::duration_cast<Time>(now - *ready_);
}

void Program::end_by_force(Clock::time_point now) {
  if (!kill_at_) {
    kill_at_ = now + abort_patience;
    (void)::kill(pid_, SIGABRT);
  } else if (now >= *kill_at_) {
    (void)::kill(pid_, SIGKILL);
    kill_at_ = now + abort_patience;
  }
}

}  // namespace supervisor
