// SPDX-License-Identifier: Apache-2.0
// What both processes may call. A call is here because the C library of Debian 12 or 13 makes it
// for something that they do, on amd64 or arm64; what no process of ours needs is not.
#include "dataplane/base/seccomp.hpp"

#include <linux/prctl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

namespace base {
namespace {

constexpr std::string_view plain = R"(
  read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek
  fstat fcntl flock fsync fdatasync ftruncate fallocate fadvise64
  dup dup2 dup3 pipe pipe2 close close_range

  open openat openat2 creat stat lstat newfstatat statx access faccessat faccessat2
  readlink readlinkat getcwd getdents64 statfs fstatfs umask
  unlink unlinkat rename renameat renameat2 mkdir mkdirat rmdir
  chmod fchmod fchmodat fchmodat2 fchown

  brk munmap mremap madvise msync mincore mlock mlock2 munlock membarrier

  futex futex_waitv set_robust_list set_tid_address rseq gettid getpid getppid exit exit_group
  sched_yield sched_getaffinity sched_setaffinity getcpu

  rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend
  sigaltstack signalfd4 restart_syscall

  clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times getrusage
  timerfd_create timerfd_settime timerfd_gettime

  poll ppoll select pselect6 eventfd eventfd2
  epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2

  bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt
  sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg

  getuid geteuid getgid getegid getresuid getresgid getgroups
  uname sysinfo getrlimit getrandom
)";

using enum CallRule::Answer;

constexpr std::array rules{
    // Threads, but no processes. The flags of clone3 lie in memory, where no filter sees them; the
    // C
    // library falls back to clone.
    if_bits(allowed, "clone", 0, CLONE_THREAD, CLONE_THREAD),
    CallRule{.name = "clone3", .answer = not_there},
    // No code comes in. A library that a library would load now is missing, which it can tell.
    if_bits(allowed, "mmap", 2, PROT_EXEC, 0),
    if_bits(not_permitted, "mmap", 2, PROT_EXEC, PROT_EXEC),
    if_bits(allowed, "mprotect", 2, PROT_EXEC, 0),
    if_bits(not_permitted, "mprotect", 2, PROT_EXEC, PROT_EXEC),
    if_equal("prlimit64", 0, 0),  // Its own limits.
    if_equal("prctl", 0, PR_SET_NAME), if_equal("prctl", 0, PR_GET_NAME),
    if_equal("prctl", 0, PR_SET_VMA),  // A name for memory.
    if_equal("socket", 0, AF_UNIX), if_equal("socketpair", 0, AF_UNIX)};

}  // namespace

CallList calls_of_both() noexcept {
  return {.plain = plain, .rules = rules};
}

}  // namespace base
