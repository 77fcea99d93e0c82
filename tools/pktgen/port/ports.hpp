// SPDX-License-Identifier: Apache-2.0
// DPDK, buffers and the open ports, for as long as the program runs. One thread sends and listens:
// one queue to send by, and all that a device has to read from.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/start/eal.hpp"
#include "drivers/opener.hpp"
#include "tools/pktgen/port/facts.hpp"
#include "tools/pktgen/run/run.hpp"
#include "tools/pktgen/start/options.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pktgen {

class Ports {
 public:
  static base::Result<std::unique_ptr<Ports>> open(const Options& options);
  ~Ports();
  Ports(const Ports&) = delete;
  Ports& operator=(const Ports&) = delete;

  rte_mempool& pool() noexcept { return **pool_; }
  std::span<const ListenedPort> all() const noexcept { return ports_; }
  dp::Port& first() const noexcept { return *ports_.front().port; }
  const std::vector<PortFacts>& facts() const noexcept { return facts_; }
  bool hugepages() const noexcept { return eal_->hugepages(); }
  // Lost at the ports, before or after us, by the names of Weir's drop reasons.
  std::vector<std::pair<std::string, std::uint64_t>> drops();

 private:
  Ports() = default;
  base::Status open_devices(const Options& options);

  std::string directory_;  // For DPDK; removed with us.
  std::optional<dp::PortHelper> helper_;
  std::optional<dp::Eal> eal_;
  std::optional<dp::PacketPool> pool_;
  std::optional<dp::Opener> opener_;
  std::vector<std::unique_ptr<dp::Device>> devices_;
  std::vector<ListenedPort> ports_;
  std::vector<std::unique_ptr<dp::Port>> memory_;  // Of a self test: one for each end.
  std::vector<PortFacts> facts_;
};

}  // namespace pktgen
