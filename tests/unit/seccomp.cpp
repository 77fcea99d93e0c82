// SPDX-License-Identifier: Apache-2.0
// Which calls end a process under the lists of the two programs, and which pass: each is tried in a
// child of this test.
#include "dataplane/base/seccomp.hpp"

#include "controlplane/start/system_calls.hpp"
#include "dataplane/start/system_calls.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <seccomp.h>
#include <set>
#include <sstream>
#include <string>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using base::SeccompMode;

enum class Program { dataplane, dataplane_with_rights, controlplane };
constexpr std::array programs{Program::dataplane, Program::dataplane_with_rights,
                              Program::controlplane};

bool restrict_calls_of(Program program, SeccompMode mode = SeccompMode::kill) {
  const auto in_force =
      program == Program::controlplane
          ? cp::restrict_system_calls(mode)
          : base::allow_only(dp::system_calls(program != Program::dataplane), mode);
  return in_force && *in_force == mode;
}

// How a child ends that does this: 0 where `act` says true, 1 where it does not; or by a signal.
int status_of(const std::function<bool()>& act) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(act() ? 0 : 1);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

// The same, once the calls are restricted.
int status_under(Program program, const std::function<bool()>& act) {
  return status_of([&] { return restrict_calls_of(program) && act(); });
}

bool is_killed(int status) {
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

template <class... Arguments>
bool call(long number, Arguments... arguments) {
  return ::syscall(number, arguments...) >= 0;
}

bool is_refused(long result, int error) {
  return result == -1 && errno == error;
}

// What somebody would want who has got hold of a process. The filter looks at the first arguments
// only.
struct Wanted {
  const char* name;
  long number;
  std::array<long, 2> arguments{};
};

std::vector<Wanted> forbidden_calls() {
  const long other = ::getppid();
  return {
      {"execve", SYS_execve},
      {"execveat", SYS_execveat},
      {"clone without a thread", SYS_clone, {SIGCHLD}},
      {"kill", SYS_kill, {other}},
      {"tgkill", SYS_tgkill, {other, other}},
      {"ptrace", SYS_ptrace, {16, other}},
      {"process_vm_readv", SYS_process_vm_readv, {other}},
      {"process_vm_writev", SYS_process_vm_writev, {other}},
      {"pidfd_open", SYS_pidfd_open, {other}},
      {"pidfd_getfd", SYS_pidfd_getfd, {-1}},
      {"prlimit64", SYS_prlimit64, {other}},
      {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1}},
      {"personality", SYS_personality, {0xffff'ffff}},
      {"setns", SYS_setns, {-1}},
      {"pivot_root", SYS_pivot_root},
      {"chroot", SYS_chroot},
      {"init_module", SYS_init_module},
      {"kexec_load", SYS_kexec_load},
      {"keyctl", SYS_keyctl},
      {"perf_event_open", SYS_perf_event_open},
      {"userfaultfd", SYS_userfaultfd},
      {"io_uring_setup", SYS_io_uring_setup},
      {"open_by_handle_at", SYS_open_by_handle_at},
      {"mknodat", SYS_mknodat},
      {"linkat", SYS_linkat},
      {"symlinkat", SYS_symlinkat},
      {"setuid", SYS_setuid},
      {"setgroups", SYS_setgroups},
      {"capset", SYS_capset},
      {"sethostname", SYS_sethostname},
      {"settimeofday", SYS_settimeofday},
      {"reboot", SYS_reboot},
      {"acct", SYS_acct},
      {"another filter", SYS_seccomp, {1}},
      {"a number that is none", 10'000},
  };
}

TEST(Seccomp, a_call_outside_the_lists_ends_the_process_by_sigsys) {
  for (const Program program : programs) {
    for (const Wanted& wanted : forbidden_calls()) {
      const auto act = [&] {
        return call(wanted.number, wanted.arguments[0], wanted.arguments[1]);
      };
      EXPECT_TRUE(is_killed(status_under(program, act)))
          << wanted.name << " under list " << static_cast<int>(program);
    }
  }
}

TEST(Seccomp, the_control_plane_opens_no_device_and_loads_no_program) {
  const std::vector<Wanted> calls{
      {"bpf", SYS_bpf, {BPF_MAP_LOOKUP_ELEM}},
      {"mount", SYS_mount},
      {"unshare", SYS_unshare},
      {"ioctl", SYS_ioctl, {0, TUNSETIFF}},
      {"socket", SYS_socket, {AF_PACKET, SOCK_RAW}},
      {"memfd_create", SYS_memfd_create},
  };
  for (const Wanted& wanted : calls) {
    const auto act = [&] {
      return call(wanted.number, wanted.arguments[0], wanted.arguments[1]);
    };
    EXPECT_TRUE(is_killed(status_under(Program::controlplane, act))) << wanted.name;
  }
}

TEST(Seccomp, sockets_of_families_that_nobody_needs_end_the_process) {
  for (const Program program : {Program::dataplane, Program::controlplane}) {
    for (const int family : {AF_VSOCK, AF_ALG, AF_BLUETOOTH, AF_KEY}) {
      EXPECT_TRUE(is_killed(status_under(program, [&] {
        return ::socket(family, SOCK_RAW, 0) >= 0;
      }))) << family;
    }
  }
}

TEST(Seccomp, all_threads_are_held_to_it) {
  std::atomic<bool> restricted;
  const auto act = [&] {
    restricted = false;
    std::thread earlier([&] {
      restricted.wait(false);
      (void)call(SYS_personality, 0xffffffff);
    });
    const bool done = restrict_calls_of(Program::dataplane);
    restricted = true;
    restricted.notify_all();
    earlier.join();
    return done;
  };
  EXPECT_TRUE(is_killed(status_of(act)));
}

bool a_thread_can_be_started() {
  int seen = 0;
  std::thread([&] { seen = ::gettid(); }).join();
  return seen != 0 && seen != ::getpid();
}

bool memory_can_be_had() {
  std::vector<char> small(100);
  std::vector<char> large(64 << 20, 'x');
  large.resize(100 << 20);
  void* pages = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages != MAP_FAILED && ::mprotect(pages, 4096, PROT_NONE) == 0 &&
         ::munmap(pages, 8192) == 0;
}

bool a_file_can_be_replaced() {
  const std::string folder = std::filesystem::temp_directory_path();
  const std::string name = folder + "/weir-seccomp-" + std::to_string(::getpid());
  const int file = ::open((name + ".new").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  const bool written = file >= 0 && ::pwrite(file, "x", 1, 0) == 1 && ::fsync(file) == 0 &&
                       ::ftruncate(file, 4096) == 0 && ::close(file) == 0;
  return written && std::rename((name + ".new").c_str(), name.c_str()) == 0 &&
         std::filesystem::file_size(name) == 4096 && std::filesystem::remove(name);
}

bool local_sockets_can_be_had() {
  std::array<int, 2> pair{};
  char byte = 0;
  return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) == 0 &&
         ::send(pair[0], "x", 1, 0) == 1 && ::recv(pair[1], &byte, 1, 0) == 1 && byte == 'x';
}

bool code_cannot_come_in() {
  const int both = PROT_READ | PROT_EXEC;
  void* pages = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return ::mmap(nullptr, 4096, both, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
         errno == EPERM && is_refused(::mprotect(pages, 4096, both), EPERM);
}

TEST(Seccomp, what_both_programs_do_passes) {
  for (const Program program : programs) {
    EXPECT_EQ(status_under(program, a_thread_can_be_started), 0);
    EXPECT_EQ(status_under(program, memory_can_be_had), 0);
    EXPECT_EQ(status_under(program, a_file_can_be_replaced), 0);
    EXPECT_EQ(status_under(program, local_sockets_can_be_had), 0);
  }
}

TEST(Seccomp, an_abort_is_still_an_abort) {
  for (const Program program : programs) {
    const int status = status_under(program, []() -> bool { std::abort(); });
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGABRT);
  }
}

TEST(Seccomp, no_code_comes_in_but_for_drivers_that_open_with_rights) {
  EXPECT_EQ(status_under(Program::dataplane, code_cannot_come_in), 0);
  EXPECT_EQ(status_under(Program::controlplane, code_cannot_come_in), 0);
  EXPECT_NE(status_under(Program::dataplane_with_rights, code_cannot_come_in), 0);
}

TEST(Seccomp, a_driver_that_tries_more_than_it_may_is_told_so) {
  const std::vector<Wanted> calls{
      {"a packet socket", SYS_socket, {AF_PACKET, SOCK_RAW}},
      {"an XDP socket", SYS_socket, {AF_XDP, SOCK_RAW}},
      {"TCP", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC}},
      {"an XDP program", SYS_bpf, {BPF_PROG_LOAD}},
      {"a map", SYS_bpf, {BPF_MAP_CREATE}},
      {"a link", SYS_bpf, {BPF_LINK_CREATE}},
      {"a mount", SYS_mount},
  };
  for (const Wanted& wanted : calls) {
    const auto act = [&] {
      return is_refused(::syscall(wanted.number, wanted.arguments[0], wanted.arguments[1]), EPERM);
    };
    EXPECT_EQ(status_under(Program::dataplane, act), 0) << wanted.name;
  }
}

// The kernel itself refuses the map, as there is none.
bool maps_are_filled_and_links_asked_for() {
  return is_refused(::syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, 0, 0), EINVAL) &&
         ::socket(AF_NETLINK, SOCK_RAW, 0) >= 0 && ::socket(AF_INET6, SOCK_DGRAM, 0) >= 0;
}

TEST(Seccomp, what_ports_need_that_come_later_passes) {
  EXPECT_EQ(status_under(Program::dataplane, maps_are_filled_and_links_asked_for), 0);
}

TEST(Seccomp, log_lets_pass_and_off_is_off) {
  const auto under = [](SeccompMode mode) {
    return status_of([mode] {
      return restrict_calls_of(Program::dataplane, mode) && call(SYS_personality, 0xffffffff);
    });
  };
  EXPECT_EQ(under(SeccompMode::log), 0);
  EXPECT_EQ(under(SeccompMode::off), 0);
  EXPECT_TRUE(is_killed(under(SeccompMode::kill)));
}

// A name that is misspelt would silently be no rule.
TEST(Seccomp, every_name_is_one_of_the_kernels) {
  std::set<std::string> names;
  for (const base::CallList& list : dp::system_calls(true)) {
    std::istringstream words{std::string(list.plain)};
    for (std::string name; words >> name;) names.insert(name);
    for (const base::CallRule& rule : list.rules) names.insert(rule.name);
  }
  EXPECT_GT(names.size(), 150u);
  names.erase("fchmodat2");  // Which libseccomp of Debian 12 is too old for.
  for (const std::string& name : names) {
    EXPECT_NE(::seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name.c_str()), __NR_SCMP_ERROR)
        << name;
  }
}

}  // namespace
