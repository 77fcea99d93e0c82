// SPDX-License-Identifier: Apache-2.0
// Opens whatever the name of a device says: an interface of the kernel (xdp:eth0), or any device of
// DPDK.
#pragma once

#include "drivers/ethdev/device.hpp"
#include "drivers/xdp/device.hpp"

#include <memory>

namespace dp {

class Opener final : public DeviceOpener {
 public:
  // Both outlive all devices.
  Opener(rte_mempool& pool, PortHelper& helper) noexcept : pool_(pool), helper_(helper) {}
  base::Result<std::unique_ptr<Device>> open(const DeviceRequest& request) override {
    if (is_xdp_device(request.device)) return XdpDevice::open(request, pool_, helper_);
    return EthdevDevice::open(request, pool_);
  }

 private:
  rte_mempool& pool_;
  PortHelper& helper_;
};

}  // namespace dp
