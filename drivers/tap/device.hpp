// SPDX-License-Identifier: Apache-2.0
// A TAP as a port ("tap:host0"): an interface of the kernel whose other end is Weir, for the host
// itself or a network namespace. It is made when the port is, and goes with it; a persistent one
// goes with the port, too, but not with the process.
#pragma once

#include "drivers/device.hpp"
#include "drivers/helper/client.hpp"
#include "drivers/tap/device_string.hpp"
#include "drivers/tap/interface.hpp"
#include "drivers/tap/port.hpp"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace dp {

class TapDevice final : public Device {
 public:
  // `pool` and `helper` outlive the device.
  static base::Result<std::unique_ptr<Device>> open(const DeviceRequest& request, rte_mempool& pool,
                                                    PortHelper& helper);

  Port& port() noexcept override { return port_; }
  const DeviceFacts& facts() const noexcept override { return facts_; }
  base::Status adjust(const DeviceRequest& request) override;
  Observation observe() noexcept override;
  void leave() noexcept override;

 private:
  TapDevice(TapDeviceString name, PortHelper& helper) : name_(std::move(name)), helper_(helper) {}

  base::Status set_up(const DeviceRequest& request, rte_mempool& pool);
  base::Status know_interface();
  base::Status set_persistent(bool persistent) noexcept;

  TapDeviceString name_;
  PortHelper& helper_;
  DeviceFacts facts_{};
  std::vector<std::unique_ptr<TapQueue>> queues_;
  std::optional<TapInterface> interface_;
  std::uint16_t mtu_at_open_ = 0;
  Port port_{TapPort({})};
};

}  // namespace dp
