// SPDX-License-Identifier: Apache-2.0
// Opens whatever the name of a device says: an interface of the kernel (xdp:eth0), a new one of
// its own (tap:host0), or any device of DPDK.
#pragma once

#include "drivers/ethdev/devargs.hpp"
#include "drivers/ethdev/device.hpp"
#include "drivers/tap/device.hpp"
#include "drivers/xdp/device.hpp"

#include <functional>
#include <memory>
#include <utility>

namespace dp {

class Opener final : public DeviceOpener {
 public:
  // `give_up` is called once, when the first ports are open: then this process has no privilege any
  // more, and what takes some can be opened by the helper only. Empty: it stays as it is.
  using GiveUp = std::function<base::Status()>;
  // Both outlive all devices.
  Opener(rte_mempool& pool, PortHelper& helper, GiveUp give_up) noexcept
      : pool_(pool), helper_(helper), give_up_(std::move(give_up)) {}

  base::Result<std::unique_ptr<Device>> open(const DeviceRequest& request) override {
    if (is_xdp_device(request.device)) return XdpDevice::open(request, pool_, helper_);
    if (is_tap_device(request.device)) return TapDevice::open(request, pool_, helper_);
    return EthdevDevice::open(request, pool_, helper_);
  }
  base::Status may_open(const DeviceRequest& request) const override {
    if (!given_up_ || !takes_privilege(request.device)) return {};
    return base::fail(
        base::Errc::unsupported,
        "this device takes privilege, which weir-dataplane has given up (--user) when its first "
        "port opened: restart it with this port in the intent, or use xdp: or tap:");
  }
  base::Status before_traffic() override {
    if (!give_up_ || given_up_) return {};
    const base::Status status = give_up_();
    given_up_ = status.has_value();
    return status;
  }

 private:
  rte_mempool& pool_;
  PortHelper& helper_;
  GiveUp give_up_;
  bool given_up_ = false;  // The housekeeper's.
};

}  // namespace dp
