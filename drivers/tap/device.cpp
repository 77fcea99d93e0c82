// SPDX-License-Identifier: Apache-2.0
#include "drivers/tap/device.hpp"

#include "dataplane/base/log.hpp"
#include "drivers/tap/open.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
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
                                                      rte_mempool& pool) {
  auto name = parse_tap_device(request.device);
  if (!name) return std::unexpected(name.error());
  std::unique_ptr<TapDevice> device(new TapDevice(std::move(*name)));
  if (auto status = device->set_up(request, pool); !status) {
    return std::unexpected(status.error());
  }
  return std::unique_ptr<Device>(std::move(device));
}

base::Status TapDevice::set_up(const DeviceRequest& request, rte_mempool& pool) {
  std::uint16_t queues = name_.queues != 0 ? name_.queues : request.rx_queues;
  if (queues == 0) queues = std::min(request.worker_count, tap_queues_max);
  auto descriptors = open_tap(name_.interface, queues);
  if (!descriptors) return std::unexpected(descriptors.error());
  for (base::Descriptor& descriptor : *descriptors) {
    queues_.push_back(std::make_unique<TapQueue>(std::move(descriptor), pool));
  }
  facts_ = {.rx_queues = queues,
            .tx_queues = std::min(queues, request.worker_count),
            .spreads_by_hash = queues > 1,
            .receives_segmented = true,
            .driver = contract::to_text<contract::name_bytes>("tap"),
            .ifindex = if_nametoindex(name_.interface.c_str()),
            .can_reopen = true};
  if (auto status = set_up_interface(request); !status) return status;
  port_.emplace<TapPort>(std::span<const std::unique_ptr<TapQueue>>(queues_));
  LOG(info, "device_opened", {"device", request.device}, {"rx_queues", facts_.rx_queues},
      {"tx_queues", facts_.tx_queues}, {"mtu", facts_.mtu}, {"mac", to_string(facts_.mac)});
  return {};
}

base::Status TapDevice::set_up_interface(const DeviceRequest& request) {
  const int descriptor = queues_.front()->descriptor();
  interface_.emplace(descriptor);
  if (auto status = take_offloads(descriptor); !status) return status;
  if (const auto wanted = request.again_as ? request.again_as : name_.mac) {
    if (auto status = set_mac(descriptor, *wanted); !status) return status;
  }
  const auto mac = mac_of(descriptor);
  if (!mac) return std::unexpected(mac.error());
  facts_.mac = *mac;
  if (request.mtu != 0 && !interface_->set_mtu(request.mtu)) {
    return fail(Errc::invalid_argument, "the TAP does not take this MTU: 68 to 65521", errno);
  }
  facts_.mtu = mtu_at_open_ = interface_->mtu();
  // Best effort: the length of each queue's ring in the kernel.
  facts_.rx_descriptors = interface_->set_queue_length(request.rx_descriptors);
  if (!interface_->set_up()) return fail(Errc::device_failed, "the TAP cannot be set up", errno);
  return {};
}

base::Status TapDevice::adjust(const DeviceRequest& request) {
  const std::uint16_t wanted = request.mtu != 0 ? request.mtu : mtu_at_open_;
  if (wanted != facts_.mtu && !interface_->set_mtu(wanted)) {
    return fail(Errc::invalid_argument,
                "the TAP does not take this MTU: 68 to 65521, and where it was moved to another "
                "namespace, that must be within reach",
                errno);
  }
  facts_.mtu = wanted;
  return {};
}

Observation TapDevice::observe() noexcept {
  Observation seen{};
  const auto state = interface_->state();
  seen.link = {.up = state && state->up, .speed_mbps = 0, .gone = state && state->gone};
  if (state) kernel_drops_ = std::max(kernel_drops_, state->dropped.value_or(0));
  const auto add = [&seen](DropReason reason, std::uint64_t frames) {
    seen.drops[static_cast<std::size_t>(reason)] += frames;
  };
  add(DropReason::kernel_dropped, kernel_drops_);
  for (const auto& queue : queues_) {
    const TapQueue::Losses losses = queue->losses();
    add(DropReason::rx_device_error, losses.rx_invalid);
    add(DropReason::tx_device_error, losses.tx_refused);
  }
  return seen;
}

}  // namespace dp
