// SPDX-License-Identifier: Apache-2.0
#include "drivers/ethdev/kernel_side.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <linux/if_packet.h>
#include <memory>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace dp {
namespace {

// f(descriptor) for each that this process holds.
template <class F>
void for_each_descriptor(F&& f) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), &closedir);
  if (!directory) return;
  while (const dirent* entry = readdir(directory.get())) {
    if (entry->d_name[0] != '.') f(std::atoi(entry->d_name));
  }
}

bool is_packet_socket(int descriptor) noexcept {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
         domain == AF_PACKET;
}

}  // namespace

void remove_stale_socket(const std::string& path) noexcept {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  const bool refused =
      socket >= 0 && connect(socket, generic, sizeof address) != 0 && errno == ECONNREFUSED;
  if (socket >= 0) close(socket);
  if (refused) unlink(path.c_str());
}

std::vector<int> PacketSockets::held() {
  std::vector<int> sockets;
  for_each_descriptor([&](int descriptor) {
    if (is_packet_socket(descriptor)) sockets.push_back(descriptor);
  });
  return sockets;
}

PacketSockets PacketSockets::since(const std::vector<int>& before) {
  PacketSockets result;
  for (int descriptor : held()) {
    if (std::ranges::find(before, descriptor) == before.end()) {
      result.sockets_.push_back(descriptor);
    }
  }
  return result;
}

std::uint64_t PacketSockets::dropped() noexcept {
  for (int descriptor : sockets_) {
    // Each reading sets the kernel's numbers to zero. DPDK 22.11's driver does not ask for them; a
    // newer one does and tells of them as imissed, so that each drop is counted once either way.
    tpacket_stats statistics{};
    socklen_t length = sizeof statistics;
    if (getsockopt(descriptor, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) == 0) {
      dropped_ += statistics.tp_drops;
    }
  }
  return dropped_;
}

}  // namespace dp
