// SPDX-License-Identifier: Apache-2.0
#include "drivers/ethdev/kernel_side.hpp"

#include "dataplane/base/check.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <memory>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

bool is_tap(int descriptor) {
  char target[32] = {};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = readlink(link.c_str(), target, sizeof target - 1);
  return length > 0 && std::string_view(target) == "/dev/net/tun";
}

// The calling thread in the network namespace of a TAP, as long as this lives.
class VisitedNamespace {
 public:
  explicit VisitedNamespace(int tap) noexcept {
    // Unsupported or not allowed: then the interface is looked for where we are, or not at all.
    const int there = ioctl(tap, TUNGETDEVNETNS);
    out_of_reach_ = there < 0 && errno == EPERM;
    if (there < 0) return;
    home_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    struct stat here_stat;
    struct stat there_stat;
    const bool moved = home_ >= 0 && fstat(home_, &here_stat) == 0 &&
                       fstat(there, &there_stat) == 0 && here_stat.st_ino != there_stat.st_ino;
    away_ = moved && setns(there, CLONE_NEWNET) == 0;
    close(there);
  }
  ~VisitedNamespace() {
    // Devices opened later in the wrong namespace would be somebody else's.
    if (away_) CHECK(setns(home_, CLONE_NEWNET) == 0);
    if (home_ >= 0) close(home_);
  }
  VisitedNamespace(const VisitedNamespace&) = delete;
  VisitedNamespace& operator=(const VisitedNamespace&) = delete;

  // Nobody without rights is told which one it is: what has the name here may be another interface.
  bool is_out_of_reach() const noexcept { return out_of_reach_; }

 private:
  bool out_of_reach_ = false;
  int home_ = -1;
  bool away_ = false;
};

bool is_running(ifreq& interface) noexcept {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const bool known = ioctl(socket, SIOCGIFFLAGS, &interface) == 0;
  close(socket);
  return known && (interface.ifr_flags & IFF_UP) != 0 && (interface.ifr_flags & IFF_RUNNING) != 0;
}

// What the descriptor itself tells: a TAP that is down takes no frames.
bool takes_frames(int tap) noexcept {
  pollfd question{.fd = tap, .events = POLLOUT, .revents = 0};
  return ::poll(&question, 1, 0) == 1 && (question.revents & (POLLOUT | POLLERR)) == POLLOUT;
}

// Frames that the kernel wanted to send out of `interface` and dropped.
std::optional<std::uint64_t> tx_drops(const char* interface) noexcept {
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
        std::string_view(interface) == name) {
      return drops;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<TapInterface> TapInterface::find(const std::string& name) {
  std::optional<TapInterface> found;
  for_each_descriptor([&](int descriptor) {
    ifreq interface{};
    if (found || !is_tap(descriptor) || ioctl(descriptor, TUNGETIFF, &interface) != 0) return;
    if (name == interface.ifr_name) found = TapInterface(descriptor);
  });
  return found;
}

std::optional<TapInterface::State> TapInterface::state() const noexcept {
  ifreq interface{};
  if (ioctl(descriptor_, TUNGETIFF, &interface) != 0) {
    if (errno != EBADFD) return std::nullopt;
    return State{.up = false, .gone = true, .dropped = 0};
  }
  const VisitedNamespace there(descriptor_);
  if (there.is_out_of_reach()) {
    return State{.up = takes_frames(descriptor_), .gone = false, .dropped = {}};
  }
  const auto dropped = tx_drops(interface.ifr_name);
  if (!dropped) return std::nullopt;
  return State{.up = is_running(interface), .gone = false, .dropped = *dropped};
}

bool TapInterface::ask(unsigned long what, ifreq& request) const noexcept {
  ifreq named{};
  if (ioctl(descriptor_, TUNGETIFF, &named) != 0) return false;
  std::ranges::copy(named.ifr_name, request.ifr_name);
  const VisitedNamespace there(descriptor_);
  if (there.is_out_of_reach()) {
    errno = EPERM;  // And another interface of that name may be within reach.
    return false;
  }
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const bool done = ioctl(socket, what, &request) == 0;
  const int error = errno;
  close(socket);
  errno = error;
  return done;
}

bool TapInterface::set_mtu(std::uint16_t mtu) const noexcept {
  ifreq request{};
  request.ifr_mtu = mtu;
  return ask(SIOCSIFMTU, request);
}

std::uint16_t TapInterface::mtu() const noexcept {
  ifreq request{};
  return ask(SIOCGIFMTU, request) ? static_cast<std::uint16_t>(std::min(request.ifr_mtu, 0xffff))
                                  : std::uint16_t{0};
}

bool TapInterface::set_up() const noexcept {
  ifreq request{};
  if (!ask(SIOCGIFFLAGS, request)) return false;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return ask(SIOCSIFFLAGS, request);
}

std::uint16_t TapInterface::set_queue_length(std::uint16_t frames) const noexcept {
  ifreq request{};
  request.ifr_qlen = frames;
  (void)ask(SIOCSIFTXQLEN, request);  // Then it is as long as it was.
  return ask(SIOCGIFTXQLEN, request)
             ? static_cast<std::uint16_t>(std::min(request.ifr_qlen, 0xffff))
             : std::uint16_t{0};
}

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
