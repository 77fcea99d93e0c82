// SPDX-License-Identifier: Apache-2.0
#include "dataplane/start/placement.hpp"

#include "dataplane/base/log.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <linux/mempolicy.h>
#include <map>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace dp {
namespace {

constexpr std::size_t sockets_max = 64;  // Bits of a mask.

unsigned number(std::string_view text) noexcept {
  unsigned value = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), value);  // The kernel's own text.
  return value;
}

// "0-3,8" as the kernel writes it.
std::vector<unsigned> parse_cores(std::string_view list) {
  std::vector<unsigned> cores;
  while (!list.empty()) {
    const std::string_view range = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), range.size() + 1));
    if (range.empty()) continue;
    const std::size_t dash = range.find('-');
    const unsigned first = number(range);
    const unsigned last = dash == std::string_view::npos ? first : number(range.substr(dash + 1));
    for (unsigned core = first; core <= last; ++core) cores.push_back(core);
  }
  return cores;
}

}  // namespace

Sockets Sockets::read(const std::filesystem::path& nodes) {
  std::vector<std::vector<unsigned>> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(nodes, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("node") || name.find_first_not_of("0123456789", 4) != std::string::npos) {
      continue;
    }
    const unsigned socket = number(std::string_view(name).substr(4));
    if (socket >= sockets_max) continue;
    std::string list;
    std::getline(std::ifstream(entry.path() / "cpulist"), list);
    if (found.size() <= socket) found.resize(socket + 1);
    found[socket] = parse_cores(list);
  }
  return Sockets(std::move(found));
}

int Sockets::of_core(unsigned core) const noexcept {
  for (std::size_t socket = 0; socket < cores_by_socket_.size(); ++socket) {
    if (std::ranges::find(cores_by_socket_[socket], core) != cores_by_socket_[socket].end()) {
      return static_cast<int>(socket);
    }
  }
  return no_socket;
}

Placement place_workers(const Sockets& sockets, std::uint16_t workers,
                        std::span<const unsigned> cores) {
  Placement placement;
  std::map<int, unsigned> count;
  for (std::uint16_t worker = 0; worker < workers; ++worker) {
    if (worker >= cores.size()) {
      placement.workers.push_back({.core = -1, .socket = no_socket});
      continue;
    }
    const int socket = sockets.of_core(cores[worker]);
    placement.workers.push_back({.core = static_cast<int>(cores[worker]), .socket = socket});
    if (socket != no_socket) ++count[socket];
  }
  if (sockets.count() < 2) return placement;
  unsigned most = 0;
  for (const auto& [socket, its_workers] : count) {
    placement.sockets.push_back(socket);
    if (its_workers > most) placement.home = socket;
    most = std::max(most, its_workers);
  }
  return placement;
}

bool prefer_sockets(std::span<const int> sockets) noexcept {
  unsigned long mask = 0;
  for (const int socket : sockets) mask |= 1ul << static_cast<unsigned>(socket);
  const int policy = sockets.empty()       ? MPOL_DEFAULT
                     : sockets.size() == 1 ? MPOL_PREFERRED
                                           : MPOL_INTERLEAVE;
  // One bit more than there are: the kernel takes the last one off.
  return ::syscall(SYS_set_mempolicy, policy, mask == 0 ? nullptr : &mask,
                   mask == 0 ? 0 : sockets_max + 1) == 0;
}

Placement place(std::uint16_t workers, std::span<const unsigned> cores) {
  Placement placement = place_workers(Sockets::read(), workers, cores);
  if (placement.sockets.size() > 1) {
    LOG(warning, "workers_at_several_sockets", {"packets_at", placement.home},
        {"effect", "those elsewhere reach packets and tables across: give --cores of one socket"});
  }
  if (!placement.sockets.empty() && !prefer_sockets(placement.sockets)) {
    LOG(warning, "memory_placed_anywhere", {"effect", "the kernel takes no memory policy"});
  }
  return placement;
}

}  // namespace dp
