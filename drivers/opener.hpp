// SPDX-License-Identifier: Apache-2.0
// Opens whatever the name of a device says: an interface of the kernel (xdp:eth0), or any device of
// DPDK.
#pragma once

#include "drivers/ethdev/device.hpp"
#include "drivers/xdp/device.hpp"

#include <memory>
#include <string>
#include <utility>

namespace dp {

class Opener final : public DeviceOpener {
 public:
  // `pool` outlives all devices. `bpffs`: where programs are pinned that outlive this process.
  Opener(rte_mempool& pool, std::string bpffs) noexcept : pool_(pool), bpffs_(std::move(bpffs)) {}
  base::Result<std::unique_ptr<Device>> open(const DeviceRequest& request) override {
    if (is_xdp_device(request.device)) return XdpDevice::open(request, pool_, bpffs_);
    return EthdevDevice::open(request, pool_);
  }

 private:
  rte_mempool& pool_;
  std::string bpffs_;
};

}  // namespace dp
