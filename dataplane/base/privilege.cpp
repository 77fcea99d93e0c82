// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/privilege.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace base {
namespace {

constexpr const char* not_given_up = "privileges cannot be given up";

struct Capabilities {
  std::uint64_t effective = 0;
  std::uint64_t permitted = 0;
  std::uint64_t inheritable = 0;
};

using CapabilityData = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

bool get(Capabilities& capabilities) noexcept {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  CapabilityData data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  const auto join = [](std::uint32_t low, std::uint32_t high) {
    return low | std::uint64_t{high} << 32;
  };
  capabilities = {.effective = join(data[0].effective, data[1].effective),
                  .permitted = join(data[0].permitted, data[1].permitted),
                  .inheritable = join(data[0].inheritable, data[1].inheritable)};
  return true;
}

bool set(const Capabilities& capabilities) noexcept {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  CapabilityData data{};
  for (std::size_t half = 0; half < data.size(); ++half) {
    const auto part = [half](std::uint64_t bits) {
      return static_cast<std::uint32_t>(bits >> (32 * half));
    };
    data[half] = {.effective = part(capabilities.effective),
                  .permitted = part(capabilities.permitted),
                  .inheritable = part(capabilities.inheritable)};
  }
  return ::syscall(SYS_capset, &header, data.data()) == 0;
}

// All but those of `kept`. A process without CAP_SETPCAP has none to lose.
void bound_capabilities(std::uint64_t kept) noexcept {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if ((kept >> capability & 1) == 0) (void)::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

// No thread starts another program any more. A filter that is laid on all threads is also the only
// way to give all of them no_new_privs.
bool forbid_programs() noexcept {
  std::array<sock_filter, 5> code{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 1, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{.len = code.size(), .filter = code.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

// What the kernel says of each thread, which is what counts.
bool every_thread_has_no_capability() {
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::ifstream status(thread.path() / "status");
    std::string line;
    bool seen = false;
    while (std::getline(status, line)) {
      if (!line.starts_with("CapPrm:")) continue;
      seen = true;
      if (line.find_first_not_of("0\t ", 7) != std::string::npos) return false;
    }
    if (!seen) return false;
  }
  return !error;
}

}  // namespace

Result<User> find_user(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());  // At start, one thread.
  if (entry == nullptr) return fail(Errc::not_found, "--user names nobody whom this system knows");
  if (entry->pw_uid == 0) {
    return fail(Errc::invalid_argument, "--user is for a user without rights");
  }
  User user{.name = name, .uid = entry->pw_uid, .gid = entry->pw_gid, .groups = {}};
  int count = 64;
  user.groups.resize(static_cast<std::size_t>(count));
  if (::getgrouplist(name.c_str(), user.gid, user.groups.data(), &count) < 0) {
    return fail(Errc::unsupported, "the user of --user is in more than 64 groups");
  }
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

Status keep_capabilities(std::initializer_list<int> kept) noexcept {
  std::uint64_t wanted = 0;
  for (const int capability : kept) wanted |= std::uint64_t{1} << capability;
  Capabilities now;
  if (!get(now)) return fail(Errc::io, not_given_up, errno);
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);  // Kernels without have none.
  bound_capabilities(wanted);
  const std::uint64_t rest = now.permitted & wanted;
  if (!set({.effective = rest, .permitted = rest, .inheritable = 0}) || !forbid_programs()) {
    return fail(Errc::io, not_given_up, errno);
  }
  return {};
}

Status empty_bounding_set() noexcept {
  Capabilities now;
  if (!get(now)) return fail(Errc::io, not_given_up, errno);
  bound_capabilities(0);
  now.inheritable = 0;
  if (!set(now)) return fail(Errc::io, not_given_up, errno);
  return {};
}

Status become(const User& user) {
  // The C library has all threads do these three; leaving uid 0 empties their capabilities.
  if (::setgroups(user.groups.size(), user.groups.data()) != 0 ||
      ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0) {
    return fail(Errc::unsupported, "another user takes a start as root", errno);
  }
  if (!forbid_programs()) return fail(Errc::io, not_given_up, errno);
  if (!every_thread_has_no_capability()) return fail(Errc::io, not_given_up);
  return {};
}

}  // namespace base
