// SPDX-License-Identifier: Apache-2.0
// A TAP as a port ("tap:host0"): an interface of the kernel whose other end is Weir, for the host
// itself or a network namespace. It is made when the port is, and goes with it.
#pragma once

#include "drivers/device.hpp"
#include "drivers/ethdev/kernel_side.hpp"
#include "drivers/tap/device_string.hpp"
#include "drivers/tap/port.hpp"

#include <memory>
#include <vector>

namespace dp {

class TapDevice final : public Device {
 public:
  // `pool` outlives the device.
  static base::Result<std::unique_ptr<Device>> open(const DeviceRequest& request,
                                                    rte_mempool& pool);

  Port& port() noexcept override { return port_; }
  const DeviceFacts& facts() const noexcept override { return facts_; }
  base::Status adjust(const DeviceRequest& request) override;
  Observation observe() noexcept override;

 private:
  explicit TapDevice(TapDeviceString name) : name_(std::move(name)) {}

  base::Status set_up(const DeviceRequest& request, rte_mempool& pool);
  base::Status set_up_interface(const DeviceRequest& request);

  TapDeviceString name_;
  DeviceFacts facts_{};
  std::vector<std::unique_ptr<TapQueue>> queues_;
  std::optional<TapInterface> interface_;
  std::uint16_t mtu_at_open_ = 0;
  std::uint64_t kernel_drops_ = 0;
  Port port_{TapPort({})};
};

}  // namespace dp
