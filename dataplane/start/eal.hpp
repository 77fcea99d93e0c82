// SPDX-License-Identifier: Apache-2.0
// DPDK's environment: memory and drivers, no device and no core taken.
#pragma once

#include "dataplane/base/error.hpp"

#include <rte_mempool.h>

#include <cstdint>
#include <memory>
#include <string>

namespace dp {

class Eal {
 public:
  struct Config {
    std::string directory;       // Where DPDK may put files; it leaves none.
    std::uint64_t packet_bytes;  // Memory that the pool will take.
    bool no_hugepages;
    // None of ordinary memory: what is replaced has hugepages, and all would be slower for good.
    bool hugepages_needed = false;
    // This process will lose the right to see physical addresses, and still take memory.
    bool virtual_addresses = false;
  };

  // Once per process. Falls back to ordinary memory, with a warning, where too few hugepages are
  // free. out_of_memory: others took the hugepages meanwhile, and EAL starts once a process.
  static base::Result<Eal> start(const Config& config);
  ~Eal();
  Eal(Eal&& other) noexcept;
  Eal& operator=(Eal&&) = delete;

  bool hugepages() const noexcept { return hugepages_; }

 private:
  explicit Eal(bool hugepages);

  bool hugepages_;
  bool owner_ = true;
};

struct FreePool {
  void operator()(rte_mempool* pool) const noexcept { rte_mempool_free(pool); }
};
using PacketPool = std::unique_ptr<rte_mempool, FreePool>;

// What the pool takes, a little more rather than less.
std::uint64_t pool_bytes(std::uint32_t mbufs, std::uint32_t mbuf_bytes) noexcept;
// At this socket, where there is memory; SOCKET_ID_ANY: at any.
base::Result<PacketPool> make_pool(std::uint32_t mbufs, std::uint32_t mbuf_bytes, int socket);

}  // namespace dp
