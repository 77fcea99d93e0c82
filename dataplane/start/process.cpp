// SPDX-License-Identifier: Apache-2.0
#include "dataplane/start/process.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace dp {

using base::Errc;
using base::fail;

base::Result<int> signals_as_descriptor() {
  sigset_t all;
  sigfillset(&all);
  // Faults of our own must end the program with their core dump.
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&all, signal);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);

  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  const int descriptor = ::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor < 0) return fail(Errc::io, "cannot receive signals", errno);
  return descriptor;
}

base::Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return {};
  struct stat found{};
  if (errno == EEXIST && ::stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return {};
    errno = ENOTDIR;
  }
  return fail(Errc::io, "cannot make the runtime directory; give --runtime-dir", errno);
}

base::Result<base::Descriptor> go_to_background() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(Errc::io, "no pipe to wait at", errno);
  base::Descriptor told(ends[0]);
  base::Descriptor tells(ends[1]);
  const pid_t between = ::fork();
  if (between < 0) return fail(Errc::io, "the background cannot be reached", errno);
  if (between > 0) {
    tells.reset();
    (void)::waitpid(between, nullptr, 0);
    char word = 0;
    ssize_t bytes = -1;
    do {
      bytes = ::read(told.get(), &word, sizeof word);
    } while (bytes < 0 && errno == EINTR);
    ::_exit(bytes == 1 ? 0 : 1);
  }
  // Twice, so that whoever supervises the service is its parent at once.
  (void)::setsid();
  if (::fork() != 0) ::_exit(0);
  return tells;
}

void start_again(char** arguments, const char* option) noexcept {
  std::vector<char*> all;
  for (char** argument = arguments; *argument != nullptr; ++argument) all.push_back(*argument);
  all.push_back(const_cast<char*>(option));
  all.push_back(nullptr);
  ::execv("/proc/self/exe", all.data());
}

std::uint64_t make_boot_id() noexcept {
  std::uint64_t id = 0;
  if (::getrandom(&id, sizeof id, 0) != sizeof id) {
    id = static_cast<std::uint64_t>(::time(nullptr));  // Only before the kernel has entropy.
  }
  return id;
}

}  // namespace dp
