// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program: counts its calls of the C library that get memory or ask the kernel for
// something, and has some of them fail, as fail_calls.py says in a file that both have mapped. What
// the C library calls within itself passes by, and so does what is said on stderr.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

enum Kind : std::uint32_t { memory = 1, system_call = 2 };

// As fail_calls.py has it.
struct Orders {
  std::atomic<std::uint32_t> kinds;  // That are counted: 0 is none. The test writes it.
  std::uint32_t reserved;
  std::uint64_t first;                // The call that fails, counted from 1; the test writes both
  std::uint64_t count;                // while nothing is counted.
  std::atomic<std::uint64_t> seen;    // Calls that were counted; we write it, the test clears it.
  std::atomic<std::uint64_t> failed;  // Likewise.
  char name[64];                      // Of the last that failed, and of who called it.
  char caller[64];
  char library[128];
};

std::atomic<Orders*> orders{nullptr};

// Before main, and after what the loader itself needs.
__attribute__((constructor)) void map_orders() {
  const char* path = std::getenv("WEIR_FAIL_CALLS");
  const int fd = path != nullptr ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* mapped = ::mmap(nullptr, sizeof(Orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  ::unsetenv("LD_PRELOAD");  // Of this program alone, not of those that it starts.
  if (mapped != MAP_FAILED) orders.store(static_cast<Orders*>(mapped), std::memory_order_release);
}

template <std::size_t size>
void copy(char (&to)[size], const char* from) noexcept {
  if (from == nullptr) from = "?";
  const std::size_t length = std::min(std::strlen(from), size - 1);
  std::memcpy(to, from, length);
  to[length] = '\0';
}

// Sets errno where it must.
bool must_fail(Kind kind, const char* name, int error, const void* caller) noexcept {
  Orders* const told = orders.load(std::memory_order_acquire);
  if (told == nullptr || (told->kinds.load(std::memory_order_acquire) & kind) == 0) return false;
  const std::uint64_t number = told->seen.fetch_add(1, std::memory_order_relaxed) + 1;
  if (number < told->first || number - told->first >= told->count) return false;
  told->failed.fetch_add(1, std::memory_order_relaxed);
  Dl_info place{};
  if (::dladdr(caller, &place) == 0) place = {};
  copy(told->name, name);
  copy(told->caller, place.dli_sname);
  copy(told->library, place.dli_fname);
  errno = error;
  return true;
}

template <class Result>
const auto failed = static_cast<Result>(-1);
template <>
const auto failed<void*> = MAP_FAILED;

}  // namespace

extern "C" {

// The C library's own names of where memory comes from.
// NOLINTBEGIN(bugprone-reserved-identifier)
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* former, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(std::size_t size) noexcept {
  const bool fails = must_fail(memory, "malloc", ENOMEM, __builtin_return_address(0));
  return fails ? nullptr : __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) noexcept {
  const bool fails = must_fail(memory, "calloc", ENOMEM, __builtin_return_address(0));
  return fails ? nullptr : __libc_calloc(count, size);
}

void* realloc(void* former, std::size_t size) noexcept {
  const bool fails = size != 0 && must_fail(memory, "realloc", ENOMEM, __builtin_return_address(0));
  return fails ? nullptr : __libc_realloc(former, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  const bool fails = must_fail(memory, "aligned_alloc", ENOMEM, __builtin_return_address(0));
  return fails ? nullptr : __libc_memalign(alignment, size);
}

int posix_memalign(void** result, std::size_t alignment, std::size_t size) noexcept {
  if (must_fail(memory, "posix_memalign", ENOMEM, __builtin_return_address(0))) return ENOMEM;
  void* const got = __libc_memalign(alignment, size);
  if (got == nullptr) return ENOMEM;
  *result = got;
  return 0;
}

// NOLINTBEGIN(bugprone-macro-parentheses): these are no expressions.
// A macro, as the name itself is defined and looked up: what the C library calls `name` may fail
// with `error`, or is passed on.
#define MAY_FAIL(name, error, result, parameters, arguments)                                    \
  result name parameters {                                                                      \
    static const auto next = reinterpret_cast<result(*) parameters>(::dlsym(RTLD_NEXT, #name)); \
    const bool fails = must_fail(system_call, #name, error, __builtin_return_address(0));       \
    return fails ? failed<result> : next arguments;                                             \
  }

MAY_FAIL(read, EIO, ssize_t, (int fd, void* to, size_t size), (fd, to, size))
MAY_FAIL(pread64, EIO, ssize_t, (int fd, void* to, size_t size, off64_t at), (fd, to, size, at))
MAY_FAIL(pwrite64, ENOSPC, ssize_t, (int fd, const void* from, size_t size, off64_t at),
         (fd, from, size, at))
MAY_FAIL(fsync, EIO, int, (int fd), (fd))
MAY_FAIL(fdatasync, EIO, int, (int fd), (fd))
MAY_FAIL(ftruncate64, ENOSPC, int, (int fd, off64_t size) noexcept, (fd, size))
MAY_FAIL(fstat64, EIO, int, (int fd, struct stat64* to) noexcept, (fd, to))
MAY_FAIL(stat64, EIO, int, (const char* path, struct stat64* to) noexcept, (path, to))
MAY_FAIL(rename, EIO, int, (const char* from, const char* to) noexcept, (from, to))
MAY_FAIL(unlink, EIO, int, (const char* path) noexcept, (path))
MAY_FAIL(mkdir, ENOSPC, int, (const char* path, mode_t mode) noexcept, (path, mode))
MAY_FAIL(chmod, EPERM, int, (const char* path, mode_t mode) noexcept, (path, mode))
MAY_FAIL(fchmod, EPERM, int, (int fd, mode_t mode) noexcept, (fd, mode))
MAY_FAIL(mmap64, ENOMEM, void*,
         (void* at, size_t size, int rights, int flags, int fd, off64_t from) noexcept,
         (at, size, rights, flags, fd, from))
MAY_FAIL(socket, EMFILE, int, (int family, int type, int protocol) noexcept,
         (family, type, protocol))
MAY_FAIL(socketpair, EMFILE, int, (int family, int type, int protocol, int* pair) noexcept,
         (family, type, protocol, pair))
MAY_FAIL(bind, EADDRINUSE, int, (int fd, const sockaddr* address, socklen_t size) noexcept,
         (fd, address, size))
MAY_FAIL(listen, EADDRINUSE, int, (int fd, int backlog) noexcept, (fd, backlog))
MAY_FAIL(accept, EMFILE, int, (int fd, sockaddr* address, socklen_t* size), (fd, address, size))
MAY_FAIL(accept4, EMFILE, int, (int fd, sockaddr* address, socklen_t* size, int flags),
         (fd, address, size, flags))
MAY_FAIL(connect, ECONNREFUSED, int, (int fd, const sockaddr* address, socklen_t size),
         (fd, address, size))
MAY_FAIL(send, ENOBUFS, ssize_t, (int fd, const void* from, size_t size, int flags),
         (fd, from, size, flags))
MAY_FAIL(sendmsg, ENOBUFS, ssize_t, (int fd, const msghdr* message, int flags),
         (fd, message, flags))
MAY_FAIL(recv, ECONNRESET, ssize_t, (int fd, void* to, size_t size, int flags),
         (fd, to, size, flags))
MAY_FAIL(recvmsg, ECONNRESET, ssize_t, (int fd, msghdr* message, int flags), (fd, message, flags))
MAY_FAIL(getsockopt, ENOBUFS, int,
         (int fd, int level, int name, void* to, socklen_t* size) noexcept,
         (fd, level, name, to, size))
MAY_FAIL(setsockopt, ENOBUFS, int,
         (int fd, int level, int name, const void* from, socklen_t size) noexcept,
         (fd, level, name, from, size))
MAY_FAIL(epoll_create1, EMFILE, int, (int flags) noexcept, (flags))
MAY_FAIL(epoll_ctl, ENOSPC, int, (int fd, int what, int of, epoll_event* event) noexcept,
         (fd, what, of, event))
MAY_FAIL(epoll_wait, EINTR, int, (int fd, epoll_event* events, int most, int timeout),
         (fd, events, most, timeout))
MAY_FAIL(eventfd, EMFILE, int, (unsigned value, int flags) noexcept, (value, flags))
MAY_FAIL(timerfd_create, EMFILE, int, (clockid_t clock, int flags) noexcept, (clock, flags))
MAY_FAIL(pipe, EMFILE, int, (int* pair) noexcept, (pair))
MAY_FAIL(pipe2, EMFILE, int, (int* pair, int flags) noexcept, (pair, flags))
MAY_FAIL(memfd_create, EMFILE, int, (const char* name, unsigned flags) noexcept, (name, flags))
#undef MAY_FAIL
// NOLINTEND(bugprone-macro-parentheses)

ssize_t write(int fd, const void* from, size_t size) {
  static const auto next =
      reinterpret_cast<ssize_t (*)(int, const void*, size_t)>(::dlsym(RTLD_NEXT, "write"));
  const bool fails =
      fd != STDERR_FILENO && must_fail(system_call, "write", ENOSPC, __builtin_return_address(0));
  return fails ? -1 : next(fd, from, size);
}

int open64(const char* path, int flags, ...) {
  static const auto next =
      reinterpret_cast<int (*)(const char*, int, ...)>(::dlsym(RTLD_NEXT, "open64"));
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);  // Whatever stands there, where none was given.
  va_end(rest);
  const bool fails = must_fail(system_call, "open64", EMFILE, __builtin_return_address(0));
  return fails ? -1 : next(path, flags, mode);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* of) noexcept {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto next = reinterpret_cast<Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  const bool fails = must_fail(system_call, "pthread_create", EAGAIN, __builtin_return_address(0));
  return fails ? EAGAIN : next(thread, attributes, run, of);
}

}  // extern "C"
