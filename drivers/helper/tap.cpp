// SPDX-License-Identifier: Apache-2.0
// A TAP is made here, and cared for later through one of its descriptors: that one names the same
// interface when it was renamed, or moved to another network namespace, where it is followed to.
#include "dataplane/base/check.hpp"
#include "drivers/helper/verbs.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <memory>
#include <net/if.h>
#include <net/if_arp.h>
#include <optional>
#include <sched.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <utility>

namespace dp {

using base::Descriptor;
using base::Errc;
using base::fail;

namespace {

base::Error refusal_of_queue(int error) noexcept {
  if (error == EBUSY) {
    return fail(Errc::already_exists,
                "an interface of this name exists, and a tap port makes its own: remove it, or "
                "choose another name",
                error)
        .error();
  }
  if (error == EPERM) {
    return fail(Errc::unsupported, "a TAP cannot be made: it takes CAP_NET_ADMIN", error).error();
  }
  return fail(Errc::device_failed, "the kernel does not make this TAP", error).error();
}

enum class TapQueueOf : std::uint8_t { new_interface, existing };

base::Result<Descriptor> open_queue(const InterfaceName& interface, TapQueueOf of) {
  Descriptor queue(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!queue) {
    return fail(Errc::unsupported, "a TAP takes /dev/net/tun, which cannot be opened", errno);
  }
  ifreq request{};
  std::ranges::copy(interface, request.ifr_name);
  unsigned flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
  // Otherwise it would be a further queue of a TAP that somebody else reads.
  if (of == TapQueueOf::new_interface) flags |= IFF_TUN_EXCL;
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(queue.get(), TUNSETIFF, &request) != 0) {
    return std::unexpected(refusal_of_queue(errno));
  }
  return queue;
}

// The name that it has now, if it is a descriptor of a TAP.
base::Result<ifreq> name_of(int tap) {
  const dev_t tun = makedev(10, 200);  // /dev/net/tun, whatever its path is.
  struct stat status{};
  ifreq named{};
  if (::fstat(tap, &status) != 0 || !S_ISCHR(status.st_mode) || status.st_rdev != tun) {
    return fail(Errc::invalid_argument, "what shall be a TAP is none");
  }
  if (::ioctl(tap, TUNGETIFF, &named) != 0 || (named.ifr_flags & IFF_TAP) == 0) {
    return fail(Errc::not_found, "the interface of a tap port has gone", errno);
  }
  return named;
}

// This process in the network namespace of a TAP, as long as this lives.
class VisitedNamespace {
 public:
  explicit VisitedNamespace(int tap) noexcept {
    const Descriptor there(::ioctl(tap, TUNGETDEVNETNS));
    if (!there) return;  // A kernel before 5.8: looked for where we are.
    home_ = Descriptor(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    struct stat here_status{};
    struct stat there_status{};
    const bool known = home_ && ::fstat(home_.get(), &here_status) == 0 &&
                       ::fstat(there.get(), &there_status) == 0;
    if (!known || here_status.st_ino == there_status.st_ino) return;
    away_ = ::setns(there.get(), CLONE_NEWNET) == 0;
    out_of_reach_ = !away_;
  }
  ~VisitedNamespace() {
    // What is made later in the wrong namespace would be somebody else's.
    if (away_) CHECK(::setns(home_.get(), CLONE_NEWNET) == 0);
  }
  VisitedNamespace(const VisitedNamespace&) = delete;
  VisitedNamespace& operator=(const VisitedNamespace&) = delete;

  bool is_out_of_reach() const noexcept { return out_of_reach_; }

 private:
  Descriptor home_;
  bool away_ = false;
  bool out_of_reach_ = false;
};

// Of the interface that `request` names, in this namespace.
bool ask(unsigned long what, ifreq& request) noexcept {
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return socket && ::ioctl(socket.get(), what, &request) == 0;
}

// Without a queue a TAP has no carrier.
bool is_unread(const InterfaceName& interface) noexcept {
  ethtool_value link{.cmd = ETHTOOL_GLINK, .data = 1};
  ifreq request{};
  std::ranges::copy(interface, request.ifr_name);
  request.ifr_data = reinterpret_cast<char*>(&link);
  return ask(SIOCETHTOOL, request) && link.data == 0;
}

// Of a TAP that outlived the data plane before, or that an operator has made for it.
base::Result<Descriptor> take_over(const InterfaceName& interface) {
  if (!is_unread(interface)) return std::unexpected(refusal_of_queue(EBUSY));
  auto queue = open_queue(interface, TapQueueOf::existing);
  if (!queue) return std::unexpected(refusal_of_queue(EBUSY));  // It is of another kind.
  ifreq named{};
  if (::ioctl(queue->get(), TUNGETIFF, &named) != 0 || (named.ifr_flags & IFF_PERSIST) == 0) {
    return std::unexpected(refusal_of_queue(EBUSY));
  }
  return queue;
}

base::Status set_sizes(const TapRequest& request, ifreq interface) {
  if (request.queue_length != 0) {
    interface.ifr_qlen = request.queue_length;
    (void)ask(SIOCSIFTXQLEN, interface);  // Then it is as long as it was.
  }
  if (request.mtu != 0) {
    interface.ifr_mtu = request.mtu;
    if (!ask(SIOCSIFMTU, interface)) {
      return fail(Errc::device_failed, "the TAP does not take this MTU", errno);
    }
  }
  return {};
}

base::Status set_up(const TapRequest& request, ifreq interface) {
  if (!request.mac.is_zero()) {
    ifreq address = interface;
    address.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    std::memcpy(address.ifr_hwaddr.sa_data, request.mac.bytes.data(), request.mac.bytes.size());
    if (!ask(SIOCSIFHWADDR, address)) {
      return fail(Errc::device_failed, "the TAP does not take its MAC address", errno);
    }
  }
  if (auto status = set_sizes(request, interface); !status) return status;
  if (!ask(SIOCGIFFLAGS, interface)) return fail(Errc::device_failed, "the TAP has gone", errno);
  interface.ifr_flags = static_cast<short>(interface.ifr_flags | IFF_UP);
  if (!ask(SIOCSIFFLAGS, interface)) {
    return fail(Errc::device_failed, "the TAP cannot be set up", errno);
  }
  return {};
}

// Frames that the kernel wanted to send out of `interface` and dropped.
std::optional<std::uint64_t> tx_drops(const char* interface) noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/net/dev", "re"),
                                                             &std::fclose);
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

base::Result<HelperAnswer> make_tap(const TapRequest& request) {
  HelperAnswer answer;
  for (std::uint16_t i = 0; i < request.queues; ++i) {
    const auto of = i == 0 ? TapQueueOf::new_interface : TapQueueOf::existing;
    auto queue = open_queue(request.interface, of);
    if (i == 0 && !queue && request.take_over != 0 && queue.error().code == Errc::already_exists) {
      queue = take_over(request.interface);
    }
    if (!queue) return std::unexpected(queue.error());
    answer.descriptors.push_back(std::move(*queue));
  }
  ifreq named{};
  std::ranges::copy(request.interface, named.ifr_name);
  if (auto status = set_up(request, named); !status) return std::unexpected(status.error());
  return answer;
}

base::Result<HelperAnswer> tend_tap(const TapRequest& request, int tap) {
  const auto named = name_of(tap);
  if (!named) return std::unexpected(named.error());
  const VisitedNamespace there(tap);
  if (there.is_out_of_reach()) {
    return fail(Errc::unsupported,
                "the TAP was moved to a namespace that weir-porthelper may not enter: it takes "
                "CAP_SYS_ADMIN");
  }
  if (auto status = set_sizes(request, *named); !status) return std::unexpected(status.error());
  const auto dropped = tx_drops(named->ifr_name);
  if (!dropped) return fail(Errc::not_found, "the interface of a tap port has gone");
  HelperAnswer answer;
  answer.dropped = *dropped;
  return answer;
}

}  // namespace dp
