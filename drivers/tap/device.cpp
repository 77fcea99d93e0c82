// SPDX-License-Identifier: Apache-2.0
#include "drivers/tap/device.hpp"

#include "dataplane/base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;
using contract::DropReason;

namespace {

// <linux/if_tun.h> of Linux 6.2: UDP segmentation, of both families or of none.
constexpr unsigned tun_f_uso = 0x20 | 0x40;

// What the kernel may leave to us on frames out of the interface: all that segment_large does.
base::Status take_offloads(int descriptor) {
  constexpr unsigned plain = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  if (::ioctl(descriptor, TUNSETOFFLOAD, plain | tun_f_uso) == 0 ||
      ::ioctl(descriptor, TUNSETOFFLOAD, plain) == 0) {
    return {};
  }
  return fail(Errc::device_failed, "the kernel refuses the offloads of a TAP", errno);
}

base::Status check_mtu(std::uint16_t mtu) noexcept {
  if (mtu == 0 || (mtu >= tap_mtu_min && mtu <= tap_mtu_max)) return {};
  return fail(Errc::invalid_argument, "a TAP has an MTU of 68 to 65521");
}

// What the kernel made of an interface in this namespace.
struct Sizes {
  std::uint16_t mtu;
  std::uint16_t queue_length;
};

Sizes sizes_of(const std::string& interface) noexcept {
  const base::Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto ask = [&](unsigned long what) {
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    // ifr_qlen and ifr_mtu are one place.
    const bool known = ::ioctl(socket.get(), what, &request) == 0;
    return static_cast<std::uint16_t>(known ? std::min(request.ifr_mtu, 0xffff) : 0);
  };
  return {.mtu = ask(SIOCGIFMTU), .queue_length = ask(SIOCGIFTXQLEN)};
}

// The descriptor itself gives the right to, wherever the interface is.
base::Status set_mac(int descriptor, const base::MacAddress& mac) {
  ifreq request{};
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(request.ifr_hwaddr.sa_data, mac.bytes.data(), mac.bytes.size());
  if (::ioctl(descriptor, SIOCSIFHWADDR, &request) == 0) return {};
  return fail(Errc::device_failed, "the TAP does not take its MAC address", errno);
}

base::Result<base::MacAddress> mac_of(int descriptor) {
  ifreq request{};
  if (::ioctl(descriptor, SIOCGIFHWADDR, &request) != 0) {
    return fail(Errc::device_failed, "the TAP does not say its MAC address", errno);
  }
  base::MacAddress mac{};
  std::memcpy(mac.bytes.data(), request.ifr_hwaddr.sa_data, mac.bytes.size());
  return mac;
}

}  // namespace

base::Result<std::unique_ptr<Device>> TapDevice::open(const DeviceRequest& request,
                                                      rte_mempool& pool, PortHelper& helper) {
  auto name = parse_tap_device(request.device);
  if (!name) return std::unexpected(name.error());
  std::unique_ptr<TapDevice> device(new TapDevice(std::move(*name), helper));
  if (auto status = device->set_up(request, pool); !status) {
    return std::unexpected(status.error());
  }
  return std::unique_ptr<Device>(std::move(device));
}

base::Status TapDevice::set_up(const DeviceRequest& request, rte_mempool& pool) {
  if (auto status = check_mtu(request.mtu); !status) return status;
  std::uint16_t queues = name_.queues != 0 ? name_.queues : request.rx_queues;
  if (queues == 0) queues = std::min(request.worker_count, tap_queues_max);
  std::optional<base::MacAddress> mac = name_.mac;
  if (!request.mac.is_zero()) mac = request.mac;
  if (request.again_as) mac = request.again_as;
  auto descriptors = helper_.make_tap({.queues = queues,
                                       .mtu = request.mtu,
                                       .queue_length = request.rx_descriptors,
                                       .mac = mac.value_or(base::MacAddress{}),
                                       .interface = to_interface_name(name_.interface),
                                       .take_over = name_.persist ? 1U : 0U});
  if (!descriptors) return std::unexpected(descriptors.error());
  for (base::Descriptor& descriptor : *descriptors) {
    queues_.push_back(std::make_unique<TapQueue>(std::move(descriptor), pool));
  }
  facts_ = {.rx_queues = queues,
            .tx_queues = std::min(queues, request.worker_count),
            .spreads_by_hash = queues > 1,
            .receives_segmented = true,
            .driver = contract::to_text<contract::name_bytes>("tap"),
            .can_reopen = true};
  if (auto status = know_interface(); !status) return status;
  port_.emplace<TapPort>(std::span<const std::unique_ptr<TapQueue>>(queues_));
  LOG(info, "device_opened", {"device", request.device}, {"rx_queues", facts_.rx_queues},
      {"tx_queues", facts_.tx_queues}, {"mtu", facts_.mtu}, {"mac", to_string(facts_.mac)});
  return {};
}

base::Status TapDevice::know_interface() {
  const int descriptor = queues_.front()->descriptor();
  interface_.emplace(descriptor, helper_);
  facts_.ifindex = interface_->ifindex();
  if (auto status = take_offloads(descriptor); !status) return status;
  if (name_.persist) {
    if (auto status = set_persistent(*name_.persist); !status) return status;
  }
  const auto mac = mac_of(descriptor);
  if (!mac) return std::unexpected(mac.error());
  facts_.mac = *mac;
  const Sizes sizes = sizes_of(name_.interface);
  facts_.mtu = mtu_at_open_ = sizes.mtu;
  facts_.rx_descriptors = sizes.queue_length;  // Of each queue's ring in the kernel.
  return {};
}

base::Status TapDevice::set_persistent(bool persistent) noexcept {
  const unsigned long value = persistent ? 1 : 0;
  if (::ioctl(queues_.front()->descriptor(), TUNSETPERSIST, value) == 0) return {};
  return fail(Errc::device_failed, "the TAP does not become persistent", errno);
}

void TapDevice::leave() noexcept {
  if (name_.persist.value_or(false)) (void)set_persistent(false);
}

base::Status TapDevice::adjust(const DeviceRequest& request) {
  const std::uint16_t wanted = request.mtu != 0 ? request.mtu : mtu_at_open_;
  if (wanted != facts_.mtu) {
    if (auto status = check_mtu(wanted); !status) return status;
    if (auto status = interface_->set_mtu(wanted); !status) return status;
    facts_.mtu = wanted;
  }
  if (request.mac.is_zero() || request.mac == facts_.mac) return {};
  if (auto status = set_mac(queues_.front()->descriptor(), request.mac); !status) return status;
  facts_.mac = request.mac;
  return {};
}

Observation TapDevice::observe() noexcept {
  Observation seen{};
  const TapInterface::State state = interface_->state();
  seen.link = {.up = state.up, .speed_mbps = 0, .gone = state.gone};
  const auto add = [&seen](DropReason reason, std::uint64_t frames) {
    seen.drops[static_cast<std::size_t>(reason)] += frames;
  };
  add(DropReason::kernel_dropped, state.dropped);
  for (const auto& queue : queues_) {
    const TapQueue::Losses losses = queue->losses();
    add(DropReason::rx_device_error, losses.rx_invalid);
    add(DropReason::tx_device_error, losses.tx_refused);
  }
  return seen;
}

}  // namespace dp
