// SPDX-License-Identifier: Apache-2.0
// Which socket (NUMA node) each worker runs on, and where memory shall lie for that: what all
// workers share at the socket of most of them or, where it can, spread over theirs; what is one
// worker's at its own.
#pragma once

#include "dataplane/worker/place.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

namespace dp {

inline constexpr int no_socket = -1;  // As SOCKET_ID_ANY: nobody knows, or it does not matter.

// The machine's cores by socket.
class Sockets {
 public:
  explicit Sockets(std::vector<std::vector<unsigned>> cores_by_socket)
      : cores_by_socket_(std::move(cores_by_socket)) {}
  // From sysfs; none where the kernel does not say.
  static Sockets read(const std::filesystem::path& nodes = "/sys/devices/system/node");

  std::size_t count() const noexcept { return cores_by_socket_.size(); }
  int of_core(unsigned core) const noexcept;

 private:
  std::vector<std::vector<unsigned>> cores_by_socket_;  // By number; some may have none.
};

struct Placement {
  std::vector<WorkerPlace> workers;
  int home = no_socket;      // Of most workers, for what cannot be spread: the packet pool.
  std::vector<int> sockets;  // That have workers, in order; empty: it does not matter.
};

// `cores`: of the workers in turn; empty: the scheduler chooses.
Placement place_workers(const Sockets& sockets, std::uint16_t workers,
                        std::span<const unsigned> cores);

// Memory that this thread touches first lies at these sockets from here on, spread where they are
// several; none: where the thread runs. Threads that it starts do the same until they say
// otherwise. False: the kernel does not let us.
bool prefer_sockets(std::span<const int> sockets) noexcept;

// Of this machine. From here on this thread, the housekeeper, makes what all workers share for
// them.
Placement place(std::uint16_t workers, std::span<const unsigned> cores);

}  // namespace dp
