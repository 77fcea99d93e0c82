// SPDX-License-Identifier: Apache-2.0
#include "dataplane/start/eal.hpp"

#include "dataplane/base/log.hpp"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace dp {

using base::Errc;
using base::fail;

namespace {

// Rings, device structures and queues of some ports, besides the pool.
constexpr std::uint64_t device_bytes = 64 * 1024 * 1024;
constexpr std::uint64_t megabyte = 1024 * 1024;
// A worker takes and returns this many mbufs without touching the shared ring.
constexpr unsigned pool_cache_mbufs = 256;

// Free hugepages of all sizes, bytes.
std::uint64_t free_hugepage_bytes() {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    const std::string name = entry.path().filename();  // "hugepages-2048kB"
    const auto dash = name.find('-');
    if (dash == std::string::npos) continue;
    std::uint64_t pages = 0;
    std::ifstream(entry.path() / "free_hugepages") >> pages;
    bytes += pages * std::strtoull(name.c_str() + dash + 1, nullptr, 10) * 1024;
  }
  return bytes;
}

// What can be had without pushing others out; the largest number where the system does not say.
std::uint64_t available_bytes() {
  std::ifstream table("/proc/meminfo");
  std::string name;
  std::uint64_t kilobytes = 0;
  while (table >> name >> kilobytes) {
    if (name == "MemAvailable:") return kilobytes * 1024;
    table.ignore(64, '\n');  // The unit.
  }
  return UINT64_MAX;
}

// All cores that this process may run on, as EAL writes a set: its main thread is not pinned.
std::string allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return "0";
  std::string cores;
  for (unsigned core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &set)) continue;
    cores += (cores.empty() ? "" : ",") + std::to_string(core);
  }
  return cores;
}

// EAL is under way: the only time when nanosleep() is not what it always is.
std::atomic<bool> eal_starts = false;
constexpr long eal_measures_ns = 100'000'000;
constexpr long enough_ns = 20'000'000;

}  // namespace
}  // namespace dp

// In place of the C library's for the whole program. Where the processor does not say how fast its
// time stamp counter runs, as in most virtual machines, EAL sleeps for a tenth of a second to
// measure it, and a restarted gateway is deaf for as long. It rounds to 10 MHz, so that a fiftieth
// is enough: some microseconds between its looks at both clocks are 1 MHz of 3 GHz.
extern "C" int nanosleep(const timespec* time, timespec* left) {
  timespec wanted = *time;
  const bool measures = wanted.tv_sec == 0 && wanted.tv_nsec == dp::eal_measures_ns;
  if (measures && dp::eal_starts.load(std::memory_order_relaxed)) wanted.tv_nsec = dp::enough_ns;
  const int error = ::clock_nanosleep(CLOCK_REALTIME, 0, &wanted, left);
  if (error == 0) return 0;
  errno = error;
  return -1;
}

namespace dp {

Eal::Eal(bool hugepages) : hugepages_(hugepages) {}

Eal::Eal(Eal&& other) noexcept
    : hugepages_(other.hugepages_), owner_(std::exchange(other.owner_, false)) {}

Eal::~Eal() {
  if (owner_) rte_eal_cleanup();
}

base::Result<Eal> Eal::start(const Config& config) {
  const std::uint64_t wanted = config.packet_bytes + device_bytes;
  const bool hugepages = !config.no_hugepages && free_hugepage_bytes() >= wanted;
  if (!hugepages && !config.no_hugepages && config.hugepages_needed) {
    LOG(error, "no_hugepages", {"free_mb", free_hugepage_bytes() / megabyte},
        {"wanted_mb", wanted / megabyte});
    return fail(Errc::invalid_argument,
                "too few hugepages are free beside those of the data plane to be replaced: reserve "
                "as many again for as long as both run, say --no-hugepages, or restart it instead");
  }
  if (!hugepages && !config.no_hugepages) {
    LOG(warning, "no_hugepages", {"free_mb", free_hugepage_bytes() / megabyte},
        {"wanted_mb", wanted / megabyte},
        {"effect", "packets lie in ordinary memory: slower, and no NIC can be used"});
  }
  // Each buffer is written to once before any is used.
  if (!hugepages && config.packet_bytes > available_bytes()) {
    return fail(Errc::invalid_argument,
                "the packet buffers take more memory than is free: lower --mbufs or --mbuf-bytes");
  }

  // net_tap tells of frames by real-time signals; where their queue is full the kernel sends SIGIO
  // instead, which would end the program.
  std::signal(SIGIO, SIG_IGN);
  ::setenv("RUNTIME_DIRECTORY", config.directory.c_str(), 1);
  std::vector<std::string> arguments{
      "weir-dataplane", "--no-telemetry", "--no-shconf",
      // Scans PCI but takes no device: this address is a bridge that no driver wants. Devices can
      // still be opened by address later.
      "--allow=0000:00:00.0", "--lcores=0@(" + allowed_cores() + ")",
      // As an error it complains of kernels without a traffic class that we do not need. First,
      // because drivers are loaded later and then the earliest pattern that matches wins.
      "--log-level=pmd.net.tap:critical", "--log-level=*:error"};
  if (config.virtual_addresses) arguments.push_back("--iova-mode=va");
  if (hugepages) {
    arguments.push_back("--in-memory");
    // One file per stretch of memory: net_virtio_user can share no more than eight of them.
    arguments.push_back("--single-file-segments");
  } else {
    // Comes into being page by page; the rest is only address space.
    arguments.push_back("--no-huge");
    arguments.push_back("-m" + std::to_string(2 * wanted / megabyte));
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  eal_starts.store(true, std::memory_order_relaxed);
  const int started = rte_eal_init(static_cast<int>(pointers.size()), pointers.data());
  eal_starts.store(false, std::memory_order_relaxed);
  // EAL makes its directory even where it needs none (--in-memory, --no-shconf). It would stay
  // where this process is killed, and be another's where one replaces it.
  std::error_code ignored;
  std::filesystem::remove_all(config.directory + "/dpdk", ignored);
  if (started < 0) {
    return fail(hugepages ? Errc::out_of_memory : Errc::io,
                "DPDK does not start; its own message stands above", rte_errno);
  }
  return Eal(hugepages);
}

std::uint64_t pool_bytes(std::uint32_t mbufs, std::uint32_t mbuf_bytes) noexcept {
  // Header of the pool's element and of the mbuf, headroom, padding between memory channels.
  return std::uint64_t{mbufs} *
         (mbuf_bytes + RTE_PKTMBUF_HEADROOM + sizeof(rte_mbuf) + 2 * RTE_CACHE_LINE_SIZE + 64);
}

base::Result<PacketPool> make_pool(std::uint32_t mbufs, std::uint32_t mbuf_bytes, int socket) {
  const auto make_at = [&](int where) {
    return PacketPool(rte_pktmbuf_pool_create(
        "packets", mbufs, pool_cache_mbufs, 0,
        static_cast<std::uint16_t>(mbuf_bytes + RTE_PKTMBUF_HEADROOM), where));
  };
  PacketPool pool = make_at(socket);
  if (!pool && socket != SOCKET_ID_ANY) {
    LOG(warning, "packets_at_another_socket", {"socket", socket},
        {"effect", "slower: reserve hugepages at the socket of the workers"});
    pool = make_at(SOCKET_ID_ANY);
  }
  if (!pool) {
    return fail(Errc::out_of_memory,
                "no memory for the packet buffers; lower --mbufs or reserve more hugepages",
                rte_errno);
  }
  return pool;
}

}  // namespace dp
