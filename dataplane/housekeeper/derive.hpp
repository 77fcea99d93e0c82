// SPDX-License-Identifier: Apache-2.0
// From the contract's records to those that packets are judged by: prepared headers, resolved MTUs,
// port sets. Whatever differs from what is staged already is staged.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/housekeeper/model.hpp"
#include "dataplane/table/tables.hpp"
#include "drivers/device.hpp"

#include <array>
#include <cstdint>

namespace dp {

// What is known of each port's device; nullptr: none is open.
using FactsByPort = std::array<const DeviceFacts*, contract::port_count_max>;

PortRecord make_port_record(const PortConfig& port, const DeviceFacts& facts) noexcept;
NetworkRecord make_network_record(const contract::NetworkSet& network,
                                  std::uint64_t local_ports) noexcept;
// `source` is the local VTEP of a remote one; not read for a local one.
VtepRecord make_vtep_record(const contract::VtepSet& vtep, const contract::VtepSet& source,
                            const PortRecord& port) noexcept;

class Derivation {
 public:
  // Stages for generation `next`, a slice per call; true: call again. Only after Model::check.
  base::Result<bool> step(const Model& model, const FactsByPort& facts, Tables& tables,
                          base::Generation next);
  void restart() noexcept { cursor_ = 0; }

 private:
  base::Status ports(const Model& model, const FactsByPort& facts, Tables& tables,
                     base::Generation next);

  std::uint32_t cursor_ = 0;
};

}  // namespace dp
