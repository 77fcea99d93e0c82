// SPDX-License-Identifier: Apache-2.0
#include "drivers/tap/open.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;

base::Result<std::vector<base::Descriptor>> open_tap(const std::string& name,
                                                     std::uint16_t queues) {
  std::vector<base::Descriptor> descriptors;
  for (std::uint16_t queue = 0; queue < queues; ++queue) {
    base::Descriptor descriptor(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!descriptor) {
      return fail(Errc::unsupported, "a TAP takes /dev/net/tun, which cannot be opened", errno);
    }
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    unsigned flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
    // Otherwise it would be a further queue of a TAP that somebody else reads.
    if (queue == 0) flags |= IFF_TUN_EXCL;
    request.ifr_flags = static_cast<short>(flags);
    if (::ioctl(descriptor.get(), TUNSETIFF, &request) != 0) {
      if (errno == EBUSY) {
        return fail(Errc::already_exists,
                    "an interface of this name exists, and a tap port makes its own: remove it, or "
                    "choose another name",
                    errno);
      }
      return fail(errno == EPERM ? Errc::unsupported : Errc::device_failed,
                  errno == EPERM ? "a TAP cannot be made: it takes CAP_NET_ADMIN"
                                 : "the kernel does not make this TAP",
                  errno);
    }
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

}  // namespace dp
