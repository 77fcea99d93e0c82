// SPDX-License-Identifier: Apache-2.0
// Any DPDK device, created from its devargs while the program runs, and gone without a trace when
// its object is. The packet side stands in port.hpp.
#pragma once

#include "drivers/device.hpp"
#include "drivers/ethdev/kernel_side.hpp"
#include "drivers/tap/interface.hpp"

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dp {

class EthdevDevice final : public Device {
 public:
  // `pool` and `helper` outlive the device.
  static base::Result<std::unique_ptr<Device>> open(const DeviceRequest& request, rte_mempool& pool,
                                                    PortHelper& helper);
  ~EthdevDevice() override;
  EthdevDevice(const EthdevDevice&) = delete;
  EthdevDevice& operator=(const EthdevDevice&) = delete;

  Port& port() noexcept override { return port_; }
  const DeviceFacts& facts() const noexcept override { return facts_; }
  base::Status adjust(const DeviceRequest& request) override;
  Observation observe() noexcept override;

 private:
  EthdevDevice(const DeviceRequest& request, rte_mempool& pool, std::uint16_t dpdk_port);

  base::Status set_up();
  void know_interface(const rte_eth_dev_info& info, const std::vector<int>& sockets_before,
                      PortHelper& helper);
  base::Status choose_queues(const rte_eth_dev_info& info);
  base::Status configure(const rte_eth_dev_info& info, std::uint16_t mtu);
  base::Status choose_segments(const rte_eth_dev_info& info, std::uint16_t mtu, rte_eth_conf& conf);
  base::Status set_up_queues(const rte_eth_dev_info& info);
  void forbid_fragments() noexcept;
  base::Status set_mtu(std::uint16_t mtu);
  void set_promiscuous(bool promiscuous) noexcept;
  void set_all_multicast(bool all) noexcept;
  void return_frames() noexcept;
  void discard_early_frames() noexcept;

  DeviceRequest request_;
  rte_mempool& pool_;
  std::uint16_t dpdk_port_;
  Port port_;
  DeviceFacts facts_{};
  std::uint16_t rx_configured_ = 0;  // At least those of facts_.
  std::uint16_t tx_configured_ = 0;
  std::uint16_t mtu_at_open_ = 0;
  std::uint32_t mtu_max_ = UINT16_MAX;  // Where each frame must fit one buffer.
  std::optional<TapInterface> tap_;
  std::optional<PacketSockets> packet_sockets_;
  std::uint64_t kernel_drops_ = 0;
};

}  // namespace dp
