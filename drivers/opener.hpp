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
  // `end`, if any, is called once, when the first ports are open; where it does not succeed, it
  // does not return. Where `rights_go`, this process
  // has no privilege any more then, and what takes some can be opened by the helper only.
  struct StartEnd {
    std::function<void()> end;
    bool rights_go = false;
  };
  // Both outlive all devices.
  Opener(rte_mempool& pool, PortHelper& helper, StartEnd start) noexcept
      : pool_(pool), helper_(helper), start_(std::move(start)) {}

  base::Result<std::unique_ptr<Device>> open(const DeviceRequest& request) override {
    if (is_xdp_device(request.device)) return XdpDevice::open(request, pool_, helper_);
    if (is_tap_device(request.device)) return TapDevice::open(request, pool_, helper_);
    return EthdevDevice::open(request, pool_, helper_);
  }
  base::Status may_open(const DeviceRequest& request) const override {
    if (!ended_ || !start_.rights_go || !takes_privilege(request.device)) return {};
    return base::fail(
        base::Errc::unsupported,
        "this device takes privilege, which weir-dataplane has given up (--user) when its first "
        "port opened: restart it with this port in the intent, or use xdp: or tap:");
  }
  void before_traffic() override {
    if (!start_.end || ended_) return;
    start_.end();
    ended_ = true;
  }

 private:
  rte_mempool& pool_;
  PortHelper& helper_;
  StartEnd start_;
  bool ended_ = false;  // The housekeeper's.
};

}  // namespace dp
