// SPDX-License-Identifier: Apache-2.0
#include "drivers/ethdev/kernel_losses.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <linux/if_packet.h>
#include <memory>
#include <optional>
#include <sys/socket.h>

namespace dp {
namespace {

// Frames that the kernel wanted to send into the TAP and dropped because its queue was full.
// nullopt where this network namespace has no such interface (it was moved, or is gone).
std::optional<std::uint64_t> interface_tx_drops(const std::string& interface) noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen("/proc/thread-self/net/dev", "re"), &std::fclose);
  if (!file) return std::nullopt;
  char line[512];
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    char name[64];
    std::uint64_t drops = 0;
    // After the colon: 8 receive columns, then bytes, packets, errors, drops of transmission.
    if (std::sscanf(line, " %63[^:]: %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %" SCNu64, name,
                    &drops) == 2 &&
        interface == name) {
      return drops;
    }
  }
  return std::nullopt;
}

bool is_packet_socket(int descriptor) noexcept {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
         domain == AF_PACKET;
}

}  // namespace

std::vector<int> KernelLosses::packet_sockets() {
  std::vector<int> sockets;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), &closedir);
  if (!directory) return sockets;
  while (const dirent* entry = readdir(directory.get())) {
    const int descriptor = std::atoi(entry->d_name);
    if (descriptor > 2 && is_packet_socket(descriptor)) sockets.push_back(descriptor);
  }
  return sockets;
}

KernelLosses KernelLosses::of_tap(const std::string& interface) {
  KernelLosses losses;
  losses.tap_ = interface;
  losses.tap_last_ = interface_tx_drops(interface).value_or(0);
  return losses;
}

KernelLosses KernelLosses::of_packet_sockets(const std::vector<int>& sockets_before) {
  KernelLosses losses;
  for (int descriptor : packet_sockets()) {
    if (std::find(sockets_before.begin(), sockets_before.end(), descriptor) ==
        sockets_before.end()) {
      losses.sockets_.push_back(descriptor);
    }
  }
  return losses;
}

std::uint64_t KernelLosses::poll() noexcept {
  if (!tap_.empty()) {
    const auto now = interface_tx_drops(tap_);
    // Smaller: an interface of the same name was made anew.
    if (now) {
      dropped_ += *now >= tap_last_ ? *now - tap_last_ : *now;
      tap_last_ = *now;
    }
  }
  for (int descriptor : sockets_) {
    // Each reading sets the kernel's numbers to zero. DPDK 22.11's driver does not ask for them.
    tpacket_stats statistics{};
    socklen_t length = sizeof statistics;
    if (getsockopt(descriptor, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) == 0) {
      dropped_ += statistics.tp_drops;
    }
  }
  return dropped_;
}

}  // namespace dp
