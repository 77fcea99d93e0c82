// SPDX-License-Identifier: Apache-2.0
#include "drivers/xdp/interface.hpp"

#include "dataplane/base/descriptor.hpp"

#include <algorithm>
#include <cstring>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace dp {
namespace {

// Requests about one interface.
class Question {
 public:
  explicit Question(const std::string& name) noexcept
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    name.copy(request.ifr_name, IFNAMSIZ - 1);
  }
  bool ask(unsigned long what) noexcept { return ::ioctl(socket_.get(), what, &request) == 0; }

  ifreq request{};

 private:
  base::Descriptor socket_;
};

std::uint16_t rx_queues(Question& question) noexcept {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  question.request.ifr_data = reinterpret_cast<char*>(&channels);
  if (!question.ask(SIOCETHTOOL)) return 1;  // A driver without such a notion has one.
  const std::uint32_t count = channels.combined_count + channels.rx_count;
  return static_cast<std::uint16_t>(std::max(count, 1U));
}

}  // namespace

std::optional<InterfaceFacts> ask_interface(const std::string& name) noexcept {
  Question question(name);
  InterfaceFacts facts{};
  if (!question.ask(SIOCGIFINDEX)) return std::nullopt;
  facts.ifindex = static_cast<unsigned>(question.request.ifr_ifindex);
  if (!question.ask(SIOCGIFHWADDR)) return std::nullopt;
  std::memcpy(facts.mac.bytes.data(), question.request.ifr_hwaddr.sa_data, facts.mac.bytes.size());
  if (!question.ask(SIOCGIFMTU)) return std::nullopt;
  facts.mtu = static_cast<std::uint16_t>(std::min(question.request.ifr_mtu, 0xffff));
  facts.rx_queues = rx_queues(question);
  return facts;
}

std::vector<base::IpAddress> kernel_addresses() {
  std::vector<base::IpAddress> addresses;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    base::IpAddress address{};
    if (one->ifa_addr->sa_family == AF_INET) {
      address = base::IpAddress::from(base::Ipv4Address(0));
      std::memcpy(address.v6.bytes.data() + 12,
                  &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, 4);
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      std::memcpy(address.v6.bytes.data(),
                  &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr, 16);
    } else {
      continue;
    }
    addresses.push_back(address);
  }
  ::freeifaddrs(list);
  return addresses;
}

}  // namespace dp
