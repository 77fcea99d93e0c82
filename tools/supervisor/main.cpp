// SPDX-License-Identifier: Apache-2.0
// weir-supervisor: runs a program, and starts it again when it dies or stands still.
#include "dataplane/base/log.hpp"
#include "tools/supervisor/options.hpp"
#include "tools/supervisor/supervise.hpp"

#include <csignal>
#include <sys/prctl.h>
#include <sys/signalfd.h>

int main(int argc, char** argv) {
  const supervisor::Options options = supervisor::parse_options(argc, argv);
  base::set_log(options.log_level, options.log_format, "weir-supervisor");
  sigset_t all;
  sigfillset(&all);
  (void)::sigprocmask(SIG_SETMASK, &all, nullptr);
  sigset_t taken;
  sigemptyset(&taken);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2})
    sigaddset(&taken, signal);
  const base::Descriptor signals(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  auto notify = supervisor::NotifySocket::make();
  if (!signals || !notify) {
    LOG(error, "not_started", {"reason", "no descriptors"});
    return 1;
  }
  return supervisor::Supervision(options, std::move(*notify), signals.get()).run();
}
