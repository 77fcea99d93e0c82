// SPDX-License-Identifier: Apache-2.0
// An XDP socket whose memory is the data plane's packet pool. Registering pins the pages of the
// process that asks: here they are mapped for that long, from the pool's memfd, so that the data
// plane needs neither CAP_IPC_LOCK nor a limit for locked memory.
#include "drivers/helper/verbs.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/if_xdp.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace dp {

using base::Descriptor;
using base::Errc;
using base::fail;

namespace {

class Mapping {
 public:
  Mapping(int file, std::uint64_t offset, std::uint64_t bytes, std::uint64_t page) noexcept
      : before_(offset % page),
        bytes_(before_ + bytes),
        data_(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file,
                     static_cast<off_t>(offset - before_))) {}
  ~Mapping() {
    if (*this) ::munmap(data_, bytes_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  explicit operator bool() const noexcept { return data_ != MAP_FAILED; }
  std::uint64_t address() const noexcept {
    return reinterpret_cast<std::uintptr_t>(data_) + before_;
  }

 private:
  std::uint64_t before_;  // A huge page may begin before the pool does.
  std::uint64_t bytes_;
  void* data_;
};

// Memory without a file behind it, as large as it is said to be. Nothing here reads or writes it:
// who takes it away meanwhile harms nobody else.
base::Result<std::uint64_t> page_of(int memory, const XdpSocketRequest& request) {
  struct stat status{};
  struct statfs system{};
  if (::fstat(memory, &status) != 0 || ::fstatfs(memory, &system) != 0 ||
      (system.f_type != TMPFS_MAGIC && system.f_type != HUGETLBFS_MAGIC) ||
      !S_ISREG(status.st_mode) ||
      static_cast<std::uint64_t>(status.st_size) < request.offset + request.bytes) {
    return fail(Errc::invalid_argument, "what shall be an XDP socket's memory is no such memory");
  }
  return std::max<std::uint64_t>(static_cast<std::uint64_t>(status.st_blksize), 4096);
}

// Raising either limit takes CAP_NET_ADMIN. The kernel's interrupts stay as they are: its operator
// defers them (napi_defer_hard_irqs, gro_flush_timeout), or both sides look for frames.
base::Status set_busy_poll(int socket) {
  constexpr int busy_poll_us = 20;  // What the kernel's documentation proposes.
  constexpr int budget = 64;        // Frames a call: a burst.
  const auto set = [socket](int option, int value) {
    return ::setsockopt(socket, SOL_SOCKET, option, &value, sizeof value) == 0;
  };
  if (set(SO_PREFER_BUSY_POLL, 1) && set(SO_BUSY_POLL, busy_poll_us) &&
      set(SO_BUSY_POLL_BUDGET, budget)) {
    return {};
  }
  return fail(Errc::unsupported, "this kernel has no busy polling for XDP sockets: busy_poll=off",
              errno);
}

}  // namespace

base::Result<HelperAnswer> open_xdp_socket(const XdpSocketRequest& request, int memory) {
  const auto page = page_of(memory, request);
  if (!page) return std::unexpected(page.error());
  Descriptor socket(::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!socket) {
    return fail(Errc::unsupported, "an XDP socket cannot be opened: it takes CAP_NET_RAW", errno);
  }
  const Mapping pool(memory, request.offset, request.bytes, *page);
  if (!pool) return fail(Errc::io, "the packet buffers cannot be mapped for AF_XDP", errno);
  const xdp_umem_reg registration{.addr = pool.address(),
                                  .len = request.bytes,
                                  .chunk_size = request.chunk_bytes,
                                  .headroom = request.headroom_bytes,
                                  .flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG};
  if (::setsockopt(socket.get(), SOL_XDP, XDP_UMEM_REG, &registration, sizeof registration) != 0) {
    return fail(Errc::io,
                errno == ENOBUFS
                    ? "the packet buffers cannot be locked in memory for AF_XDP: it takes "
                      "CAP_IPC_LOCK, or a larger limit (ulimit -l)"
                    : "the kernel does not take the packet buffers for AF_XDP",
                errno);
  }
  if (request.busy_poll != 0) {
    if (auto status = set_busy_poll(socket.get()); !status) return std::unexpected(status.error());
  }
  HelperAnswer answer;
  answer.descriptors.push_back(std::move(socket));
  return answer;
}

}  // namespace dp
