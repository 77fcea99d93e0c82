// SPDX-License-Identifier: Apache-2.0
// An interface of the kernel as a port ("xdp:eth0"): the frames that are Weir's come through XDP
// sockets, the kernel keeps the rest and the interface itself. The packet side stands in port.hpp.
#pragma once

#include "drivers/device.hpp"
#include "drivers/helper/client.hpp"
#include "drivers/xdp/device_string.hpp"
#include "drivers/xdp/memory.hpp"
#include "drivers/xdp/port.hpp"
#include "drivers/xdp/program.hpp"

#include <memory>
#include <string>
#include <vector>

namespace dp {

class XdpDevice final : public Device {
 public:
  // `pool` and `helper` outlive the device.
  static base::Result<std::unique_ptr<Device>> open(const DeviceRequest& request, rte_mempool& pool,
                                                    PortHelper& helper);
  ~XdpDevice() override;
  XdpDevice(const XdpDevice&) = delete;
  XdpDevice& operator=(const XdpDevice&) = delete;

  Port& port() noexcept override { return port_; }
  const DeviceFacts& facts() const noexcept override { return facts_; }
  base::Status adjust(const DeviceRequest& request) override;
  Observation observe() noexcept override;
  void leave() noexcept override;

 private:
  XdpDevice(XdpDeviceString name, const XdpMemory& memory, PortHelper& helper);

  base::Status set_up(const DeviceRequest& request);
  base::Status open_queues(const DeviceRequest& request);
  base::Status check_mtu(const DeviceRequest& request);
  base::Result<base::Descriptor> open_socket();
  void set_promiscuous(bool promiscuous) noexcept;
  std::vector<base::IpAddress> asked_for(const DeviceRequest& request) const;
  base::Status check_addresses(const DeviceRequest& request) const;
  base::Status overhear(const DeviceRequest& request);
  XdpSteering steering_for(const DeviceRequest& request) const;

  XdpDeviceString name_;
  XdpMemory memory_;
  PortHelper& helper_;
  unsigned ifindex_ = 0;
  DeviceFacts facts_{};
  std::vector<std::unique_ptr<XdpQueue>> queues_;
  std::unique_ptr<XdpProgram> program_;  // After the queues: no frame comes when they go.
  bool promiscuous_ = false;
  Port port_{XdpPort({})};
};

}  // namespace dp
