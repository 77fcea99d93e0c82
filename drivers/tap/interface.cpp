// SPDX-License-Identifier: Apache-2.0
#include "drivers/tap/interface.hpp"

#include "drivers/link.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <linux/if_tun.h>
#include <memory>
#include <net/if.h>
#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace dp {
namespace {

// A question enters a namespace and reads a table there; the port thread looks every 10 ms.
constexpr std::chrono::seconds drops_every{1};

bool is_tap(int descriptor) {
  char target[32] = {};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = ::readlink(link.c_str(), target, sizeof target - 1);
  return length > 0 && std::string_view(target) == "/dev/net/tun";
}

// What the descriptor itself tells: a TAP that is down takes no frames.
bool takes_frames(int tap) noexcept {
  pollfd question{.fd = tap, .events = POLLOUT, .revents = 0};
  return ::poll(&question, 1, 0) == 1 && (question.revents & (POLLOUT | POLLERR)) == POLLOUT;
}

// Under both at once no other interface is known here.
bool is_here(unsigned ifindex, const char* name) noexcept {
  char here[IF_NAMESIZE] = {};
  return ::if_indextoname(ifindex, here) != nullptr && std::string_view(here) == name;
}

unsigned ifindex_of(int tap) noexcept {
  ifreq named{};
  return ::ioctl(tap, TUNGETIFF, &named) == 0 ? ::if_nametoindex(named.ifr_name) : 0;
}

}  // namespace

TapInterface::TapInterface(int descriptor, PortHelper& helper)
    : descriptor_(descriptor), helper_(&helper), ifindex_(ifindex_of(descriptor)) {}

std::optional<TapInterface> TapInterface::find(const std::string& name, PortHelper& helper) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), &::closedir);
  if (!directory) return std::nullopt;
  while (const dirent* entry = ::readdir(directory.get())) {
    const int descriptor = std::atoi(entry->d_name);  // Of "." and "..": 0, which is no TAP.
    ifreq named{};
    if (is_tap(descriptor) && ::ioctl(descriptor, TUNGETIFF, &named) == 0 &&
        name == named.ifr_name) {
      return TapInterface(descriptor, helper);
    }
  }
  return std::nullopt;
}

TapInterface::State TapInterface::state() noexcept {
  ifreq named{};
  if (::ioctl(descriptor_, TUNGETIFF, &named) != 0) {
    return {.up = false, .gone = errno == EBADFD, .dropped = dropped_};
  }
  const bool up =
      takes_frames(descriptor_) && (!is_here(ifindex_, named.ifr_name) || ask_link(ifindex_).up);
  const auto now = std::chrono::steady_clock::now();
  if (now >= ask_next_) {
    ask_next_ = now + drops_every;
    dropped_ = std::max(dropped_, helper_->tend_tap({}, descriptor_).value_or(0));
  }
  return {.up = up, .gone = false, .dropped = dropped_};
}

base::Status TapInterface::set_mtu(std::uint16_t mtu) {
  const auto done = helper_->tend_tap({.mtu = mtu}, descriptor_);
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace dp
