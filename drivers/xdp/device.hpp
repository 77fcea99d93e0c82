// SPDX-License-Identifier: Apache-2.0
// An interface of the kernel as a port ("xdp:eth0"): the frames that are Weir's come through XDP
// sockets, the kernel keeps the rest and the interface itself. The packet side stands in port.hpp.
#pragma once

#include "drivers/device.hpp"
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
  // `pool` outlives the device. `bpffs`: a folder of that file system.
  static base::Result<std::unique_ptr<Device>> open(const DeviceRequest& request, rte_mempool& pool,
                                                    const std::string& bpffs);
  ~XdpDevice() override;
  XdpDevice(const XdpDevice&) = delete;
  XdpDevice& operator=(const XdpDevice&) = delete;

  Port& port() noexcept override { return port_; }
  const DeviceFacts& facts() const noexcept override { return facts_; }
  base::Status adjust(const DeviceRequest& request) override;
  Observation observe() noexcept override;
  void leave() noexcept override;

 private:
  XdpDevice(XdpDeviceString name, const XdpMemory& memory);

  base::Status set_up(const DeviceRequest& request, const std::string& bpffs);
  base::Status open_queues(const DeviceRequest& request);
  base::Status check_mtu(const DeviceRequest& request);
  base::Status set_promiscuous(bool promiscuous);
  XdpSteering steering_for(const DeviceRequest& request) const;

  XdpDeviceString name_;
  XdpMemory memory_;
  unsigned ifindex_ = 0;
  DeviceFacts facts_{};
  std::vector<std::unique_ptr<XdpQueue>> queues_;
  std::unique_ptr<XdpProgram> program_;  // After the queues: no frame comes when they go.
  base::Descriptor promiscuous_;         // A packet socket that asks for it as long as it is open.
  Port port_{XdpPort({})};
};

}  // namespace dp
